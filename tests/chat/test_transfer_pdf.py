"""PDF holds the words, in every script there is a font for, and says what it could not print."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pypdf
import pytest
from fpdf import FPDF
from fpdf.errors import FPDFException
from hypothesis import given, settings

from chat.errors import ChatError
from chat.storage.records import Attachment, Conversation, Message, StoredCall
from chat.transfer import fonts, pdf
from chat.transfer.pdf import to_pdf
from tests.chat.trees import trees

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def conversation(title: str = "Title") -> Conversation:
    return Conversation("conv_1", title, "given", False, False, ("tag",), "", None, 1, AT, AT)


def said(text: str) -> Message:
    return Message(
        "m", "conv_1", None, "user", text, "complete", False, True, "", 0, 0, {}, (), "", (), None,
        None, AT, 1,
    )  # fmt: skip


def words(data: bytes) -> str:
    reader = pypdf.PdfReader(io.BytesIO(data))
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


MARKDOWN = """Hello **bold** [link](https://x.example) [bad](javascript:1) ![i](https://x/y.png)

1. one
2. two
   - three

> quoted

| a | b |
|---|---|
| c | d |

```python
code()
```
# Heading
<b>raw</b>"""


def test_markdown_is_set() -> None:
    message = replace(
        said(MARKDOWN),
        attachments=(Attachment("att_1", "red.png", "image/png", 1, "x"),),
        tool_calls=(StoredCall("c", "maps", '{"q": 1}'),),
    )
    text = words(to_pdf(conversation(), [message]))
    for piece in ("Title", "Tags: tag", "You", "spoken", "Hello", "bold", "link", "1. one",
                  "2. two", "three", "quoted", "c", "d", "code()", "Heading", "<b>raw</b>",
                  "Attachment: red.png", "Called maps:", '{"q": 1}'):  # fmt: skip
        assert piece in text
    assert "brackets" not in text


def test_links_are_links_and_nothing_runs() -> None:
    data = to_pdf(conversation(), [said(MARKDOWN)])
    reader = pypdf.PdfReader(io.BytesIO(data))
    links = [note.get_object()["/A"]["/URI"] for page in reader.pages for note in page["/Annots"]]
    assert set(links) == {"https://x.example", "https://x/y.png"}
    assert b"/JavaScript" not in data
    assert b"/OpenAction" not in data or reader.trailer["/Root"]["/OpenAction"][0]


SCRIPTS = {
    "Greek": "Ελληνικά",
    "Cyrillic": "Кириллица",
    "Vietnamese": "Tiếng Việt",
    "Hebrew": "שלום",
    "Arabic": "مرحبا",
    "Devanagari": "हिन्दी",
    "Chinese": "你好世界",
    "Japanese": "こんにちは",
    "Korean": "안녕하세요",
}


@pytest.mark.slow
@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_scripts_are_printed(text: str) -> None:
    chosen, missing = fonts.choose(map(ord, text))
    assert not missing, "the fonts of requirements/cpu.in are not installed"
    assert chosen
    assert fonts.can_shape(), "the shaper of requirements/cpu.in is not installed"
    found = words(to_pdf(conversation(), [said(f"x {text} y")]))
    assert "brackets" not in found
    assert set(text) & set(found)


def test_what_no_font_has_is_named() -> None:
    text = words(to_pdf(conversation(), [said("a \U00013000 b \U000e0fff")]))
    assert "a [egyptian hieroglyph a001] b" in text
    assert "[U+E0FFF]" in text
    assert "2 characters are named in [brackets]" in text


def test_without_any_font_there_is_still_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "installed", tuple)
    text = words(to_pdf(conversation(), [said("café 你 שלום")]))
    assert "café [cjk unified ideograph-4f60] [hebrew letter shin]" in text
    assert "not joined and ordered" in text


def test_wide_and_endless_things_fit() -> None:
    wide = "|" + "a|" * 30 + "\n|" + "-|" * 30 + "\n|" + "b|" * 30
    deep = "\n".join("  " * level + "- x" for level in range(15))
    to_pdf(conversation("t" * 500), [said(f"{'x' * 3000}\n\n{wide}\n\n{deep}\n\n{'> ' * 20}y")])


def test_too_much_is_refused() -> None:
    with pytest.raises(ChatError) as refused:
        to_pdf(conversation(), [said("x" * (pdf.MAX_CHARS + 1))])
    assert refused.value.code == "too_large"


def test_what_cannot_be_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_narrow(*_given: object, **_options: object) -> None:
        raise FPDFException("Not enough horizontal space to render a single character")

    monkeypatch.setattr(FPDF, "multi_cell", too_narrow)
    with pytest.raises(ChatError) as refused:
        to_pdf(conversation(), [said("words")])
    assert refused.value.code == "too_large"


@pytest.mark.parametrize(
    ("text", "right"),
    [("123", False), ("12 words שלום", False), ("12 שלום", True), ("كلمة", True)],
)
def test_a_block_stands_where_its_first_letter_begins(text: str, right: bool) -> None:
    places: list[float] = []

    def visit(_text: str, _cm: object, tm: list[float], _font: object, _size: object) -> None:
        places.append(tm[4])

    page = pypdf.PdfReader(io.BytesIO(to_pdf(conversation(), [said(f"```\n{text}\n```")]))).pages[0]
    page.extract_text(visitor_text=visit)
    assert (max(places) > float(page.mediabox.width) / 2) == right


@pytest.mark.slow
@given(trees())
@settings(max_examples=5, deadline=None)
def test_any_conversation_can_be_set(tree: tuple[Conversation, list[Message]]) -> None:
    assert to_pdf(*tree).startswith(b"%PDF")
