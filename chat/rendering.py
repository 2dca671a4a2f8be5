"""Markdown to HTML that is safe to show, in one place.

What a model or a stranger wrote becomes a few harmless elements: raw HTML stays text, links keep
only `http`, `https` and `mailto`, images are never fetched but shown as links, code is coloured by
classes (`hl-...`, the style sheet is the page's). An allow-list sanitiser reads the result last, so
that a mistake in the steps before it is no hole.

`Rendering` renders a text that grows: blocks that are finished are rendered once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

MAX_CHARS = 200_000
"""A longer text is shown as it is, without Markdown: parsing must stay a matter of a moment."""

MAX_CODE_CHARS = 20_000
"""A longer piece of code is shown without colours; lexers are made of regular expressions."""

SCHEMES = frozenset({"http", "https", "mailto"})

LANGUAGES = frozenset(
    """bash c cpp c++ csharp c# css diff docker dockerfile go golang haskell html ini java
    javascript js json jsx julia kotlin latex lua make makefile markdown matlab nginx ocaml perl php
    powershell python py r ruby rust scala sh shell sql swift toml ts tsx typescript xml yaml
    yml zig""".split()
)
"""Languages that are coloured. A list, because guessing runs every lexer over a stranger's text."""

_LANGUAGE = re.compile(r"[A-Za-z0-9+#._-]{1,30}")
_ALIGNMENT = re.compile(r"text-align:(left|center|right)")
_BARE_LINK = re.compile(r"https?://[^\s<>\"'`\\^{|}\x00-\x20]+", re.IGNORECASE)
_TRAILING = ".,:;!?*_~'\")]"

_TAGS = set(
    "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th "
    "thead tr ul".split()
)
_CLASSES = {
    "a": re.compile("image"),
    "code": re.compile(r"language-[A-Za-z0-9+#._-]{1,30}"),
    "span": re.compile(r"hl-[a-z0-9]{1,4}"),
}


def _filter(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        return value if tag in _CLASSES and _CLASSES[tag].fullmatch(value) else None
    return value


_SANITISER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style"},
    attributes={
        "a": {"href", "title", "class"},
        "code": {"class"},
        "span": {"class"},
        "ol": {"start"},
    },
    tag_attribute_values={
        "td": {"align": {"left", "center", "right"}},
        "th": {"align": {"left", "center", "right"}},
    },
    attribute_filter=_filter,
    url_schemes=set(SCHEMES),
    url_relative="deny",
    link_rel="noopener nofollow noreferrer",
)


def render(text: str) -> str:
    """The HTML of `text`, sanitised. Never raises, whatever the text is."""
    rendering = Rendering()
    return rendering.feed(text)[0] + rendering.end()


class Rendering:
    """Renders a text that grows. The pieces, joined, are what `render` makes of the whole text."""

    def __init__(self) -> None:
        self._open = ""
        self._length = 0
        self._plain = False

    def feed(self, more: str) -> tuple[str, str]:
        """The HTML of the blocks that `more` finished, and that of what may still change.

        The first part is appended to what is shown for good; the second replaces the second part
        of the last call.
        """
        self._length += len(more)
        self._open += more
        if self._plain or self._length > MAX_CHARS:
            self._plain = True
            return "", _plain(self._open)
        # A line that is not complete may still become anything; nothing before the last block of
        # complete lines changes any more (CommonMark reads blocks line by line).
        complete = self._open[: self._open.rfind("\n") + 1]
        starts = _block_starts(complete)
        done = ""
        if len(starts) > 1:
            lines = _lines(self._open)
            done = _html("".join(lines[: starts[-1]]))
            self._open = "".join(lines[starts[-1] :])
        return done, _html(self._open)

    def end(self) -> str:
        """The HTML of what was still open; the text has ended."""
        text, self._open = self._open, ""
        return _plain(text) if self._plain else _html(text)


def parse(text: str) -> Sequence[Token]:
    """The Markdown of `text` as tokens of markdown-it, with links already checked; raw HTML is
    text in them. For writers of other formats than HTML."""
    return _markdown().parse(_printable(text))


def plain(text: str) -> str:
    """`text` without its Markdown, blocks separated by new lines: for titles and search results."""
    pieces: list[str] = []
    for token in parse(text[:MAX_CHARS]):
        if token.type == "inline":
            pieces.append("".join(_words(child) for child in token.children or ()))
        elif token.type in {"fence", "code_block"}:
            pieces.append(token.content.rstrip("\n"))
    return "\n".join(piece for piece in pieces if piece)


def _words(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return "\n"
    return token.content if token.type in {"text", "code_inline", "image"} else ""


def _html(text: str) -> str:
    if not text.strip(" \t\r\n"):
        return ""
    markdown = _markdown()
    text = _printable(text)
    return _SANITISER.clean(markdown.render(text))


def _plain(text: str) -> str:
    return f"<p>{escape(_printable(text))}</p>" if text else ""


def _printable(text: str) -> str:
    # Lone surrogates come out of JSON's \ud800 and cannot be encoded.
    return text.encode("utf-8", "replace").decode("utf-8")


def _lines(text: str) -> list[str]:
    # Only what markdown-it takes for the end of a line, or positions would not agree.
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)


def _block_starts(text: str) -> list[int]:
    """The numbers of the lines where the top-level blocks of `text` begin."""
    tokens: list[Token] = []
    _markdown().block.parse(
        "".join(line.rstrip("\r\n") + "\n" for line in _lines(text)), _markdown(), {}, tokens
    )
    return [token.map[0] for token in tokens if token.level == 0 and token.map]


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt(
        "commonmark", {"html": False, "highlight": _highlight}, renderer_cls=_Renderer
    )
    markdown.enable(["table", "strikethrough"])
    # Definitions below a link would change what is shown above it, and blocks are rendered once.
    markdown.disable(["reference", "html_block", "html_inline"])
    markdown.validateLink = is_safe_link  # type: ignore[method-assign]
    markdown.core.ruler.push("bare_links", _find_bare_links)
    return markdown


def is_safe_link(url: str) -> bool:
    """Whether a link may be shown: an absolute address of an allowed scheme."""
    scheme, colon, rest = url.strip().partition(":")
    return bool(colon and rest) and scheme.lower() in SCHEMES


def _find_bare_links(state: StateCore) -> None:
    for block in state.tokens:
        children, linked = [], 0
        for token in block.children or ():
            linked += (token.type == "link_open") - (token.type == "link_close")
            children += [token] if token.type != "text" or linked else _split_links(token)
        if block.children:
            block.children = children


def _split_links(token: Token) -> list[Token]:
    pieces: list[Token] = []
    at = 0
    for found in _BARE_LINK.finditer(token.content):
        url = found.group().rstrip(_TRAILING)
        if url.count("/") < 2 or len(url) < len("http://a"):
            continue
        if "(" in url and found.group()[len(url) :].startswith(")"):
            url += ")"
        pieces.append(_text(token.content[at : found.start()]))
        pieces.append(Token("link_open", "a", 1, attrs={"href": _quoted(url)}))
        pieces.append(_text(url))
        pieces.append(Token("link_close", "a", -1))
        at = found.start() + len(url)
    return [*pieces, _text(token.content[at:])] if pieces else [token]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _quoted(url: str) -> str:
    normalised: str = _markdown().normalizeLink(url)
    return normalised


class _Renderer(RendererHTML):
    """Images as links, alignment as an attribute (styles are not allowed by the page's policy)."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        url = str(token.attrs.get("src", ""))
        words = escape(token.content or url)
        depth = sum((t.type == "link_open") - (t.type == "link_close") for t in tokens[:idx])
        if depth or not is_safe_link(url):
            return words
        return f'<a class="image" href="{escape(url)}">{words}</a>'

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        found = _ALIGNMENT.fullmatch(str(token.attrs.get("style", "")))
        return f'<{token.tag} align="{found[1]}">' if found else f"<{token.tag}>"

    th_open = td_open


def _highlight(code: str, language: str, attributes: Any) -> str:
    """A whole `<pre>` (so that markdown-it adds nothing to it), coloured if it can be."""
    known = _LANGUAGE.fullmatch(language)
    css = f' class="language-{escape(language)}"' if known else ""
    inside = escape(code)
    if language.lower() in LANGUAGES and len(code) <= MAX_CODE_CHARS:
        inside = _colour(code, language.lower())
    return f"<pre><code{css}>{inside}</code></pre>\n"


def _colour(code: str, language: str) -> str:
    from pygments import highlight  # noqa: PLC0415  slow to import, and not every text has code
    from pygments.formatters import HtmlFormatter  # noqa: PLC0415
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415

    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    coloured: str = highlight(code, lexer, HtmlFormatter(nowrap=True, classprefix="hl-"))
    return coloured
