"""A conversation as PDF: the branch that is shown, its Markdown set with installed fonts. Blocking.

Nothing is fetched. A character that no installed font has is named in brackets, and a line at the
end says so: nobody is left with empty boxes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from contextlib import closing, contextmanager
from typing import Any

from fpdf import FPDF
from fpdf.enums import TextMode, XPos, YPos
from fpdf.errors import FPDFException
from fpdf.fonts import TTFFont
from markdown_it.token import Token

from chat.errors import ChatError
from chat.rendering import is_safe_link, parse
from chat.storage.records import Conversation, Message
from chat.transfer import fonts
from chat.transfer.markdown import SPEAKERS, branch_of, remarks, stamp

MAX_CHARS = 500_000
"""Of all messages; setting more takes minutes."""

SIZE = 10.5
LINE = 1.45
HEADINGS = {"h1": 15.0, "h2": 13.5, "h3": 12.0}
GREY, BLACK, BLUE = (110, 110, 110), (20, 20, 20), (20, 70, 160)
CODE_BACKGROUND = (243, 243, 243)
INDENT = 6.0
MAX_LEVELS = 8
MAX_COLUMNS = 8

_DROPPED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufe00-\ufe0f\ufeff]")


def to_pdf(conversation: Conversation, messages: Sequence[Message]) -> bytes:
    """The shown branch of the conversation; `messages` is its whole tree.

    Raises `ChatError` `too_large`.
    """
    branch = branch_of(conversation, messages)
    if sum(len(message.text) for message in branch) > MAX_CHARS:
        raise ChatError(
            "too_large",
            f"the conversation has more than {MAX_CHARS:,} characters: export it as Markdown",
        )
    everything = [conversation.title, *conversation.tags, *_FIXED]
    for message in branch:
        everything += [message.text, remarks(message)]
        everything += [file.name for file in message.attachments]
        everything += [call.name + call.arguments for call in message.tool_calls]
    with closing(_Page(conversation.title, set().union(*everything))) as page:
        page.heading(conversation.title, 18.0)
        page.note(stamp(conversation.created_at))
        if conversation.tags:
            page.note("Tags: " + ", ".join(conversation.tags))
        for message in branch:
            _add_message(page, message)
        page.explain()
        return page.output()


_FIXED = [*SPEAKERS.values(), "0123456789-:UTC· \u2022[]().,+", "abcdefghijklmnopqrstuvwxyz"]


def _add_message(page: _Page, message: Message) -> None:
    page.rule()
    page.heading(SPEAKERS[message.role], 11.5)
    page.note(" · ".join(filter(None, [stamp(message.created_at), remarks(message)])))
    _add_blocks(page, parse(message.text))
    for file in message.attachments:
        page.note(f"Attachment: {file.name}")
    for call in message.tool_calls:
        page.note(f"Called {call.name}:")
        page.code(call.arguments)


def _add_blocks(page: _Page, tokens: Sequence[Token]) -> None:  # noqa: PLR0912  one a kind
    """Set the blocks of a message. Lists and quotations are indented, at most so far."""
    counters: list[int | None] = []
    bullet = ""
    heading = 0.0
    rows: list[list[str]] | None = None
    for token in tokens:
        kind = token.type
        if kind in {"bullet_list_open", "ordered_list_open"}:
            first = int(token.attrs.get("start", 1)) if kind.startswith("ordered") else None
            counters.append(first)
            page.level += 1
        elif kind in {"bullet_list_close", "ordered_list_close"}:
            counters.pop()
            page.level -= 1
        elif kind == "list_item_open":
            number = counters[-1]
            bullet = "\u2022 " if number is None else f"{number}. "
            counters[-1] = None if number is None else number + 1
        elif kind in {"blockquote_open", "blockquote_close"}:
            page.level += 1 if kind.endswith("open") else -1
        elif kind == "heading_open":
            heading = HEADINGS.get(token.tag, SIZE)
        elif kind in {"fence", "code_block"}:
            page.code(token.content)
        elif kind == "hr":
            page.rule()
        elif kind == "table_open":
            rows = []
        elif kind == "table_close" and rows:
            page.table(rows)
            rows = None
        elif kind == "tr_open" and rows is not None:
            rows.append([])
        elif kind == "inline" and rows is not None:
            rows[-1].append("".join(text for text, _, _ in _runs(token)))
        elif kind == "inline" and heading:
            page.heading("".join(text for text, _, _ in _runs(token)), heading)
            heading = 0.0
        elif kind == "inline":
            page.paragraph([(bullet, False, ""), *_runs(token)] if bullet else _runs(token))
            bullet = ""


def _runs(token: Token) -> list[tuple[str, bool, str]]:
    """The words of an inline token as (text, bold, link)."""
    runs = []
    bold, link = 0, ""
    for child in token.children or ():
        if child.type in {"strong_open", "strong_close"}:
            bold += child.nesting
        elif child.type == "link_open":
            link = str(child.attrs.get("href", ""))
        elif child.type == "link_close":
            link = ""
        elif child.type in {"softbreak", "hardbreak"}:
            runs.append(("\n", bool(bold), link))
        elif child.type == "image":
            source = str(child.attrs.get("src", ""))
            runs.append((child.content or source, bool(bold), source))
        elif child.content:
            runs.append((child.content, bool(bold), link))
    return runs


class _Page:
    """The document that is being set, and where on the page it stands."""

    def __init__(self, title: str, used: set[str]) -> None:
        codes = {ord(c) for c in used}
        chosen, self._missing = fonts.choose(codes - {9, 10, 13})
        if not chosen:  # nothing installed: the fonts every reader has know Latin-1
            self._missing = frozenset(code for code in codes if code > 0xFF)
        self._said = 0
        self.level = 0
        self._pdf = FPDF(format="A4")
        self._pdf.set_margin(18)
        self._pdf.set_auto_page_break(True, margin=18)
        for font in chosen:
            self._pdf.add_font(
                font.name,
                fname=font.path,
                variations=dict(font.axes) or None,
                collection_font_number=font.number,
            )
        self._family = chosen[0].name if chosen else "helvetica"
        self._pdf.set_font(self._family, size=SIZE)
        self._shapes = bool(chosen) and fonts.can_shape()
        if self._shapes:
            self._pdf.set_text_shaping(True)
        if len(chosen) > 1:
            self._pdf.set_fallback_fonts([font.name for font in chosen[1:]])
        self._right_to_left = any(_is_right_to_left(c) for c in used)
        self._pdf.set_title(self._printable(title))
        self._pdf.set_creator("vivavoce")
        self._pdf.add_page()

    def heading(self, text: str, size: float) -> None:
        """A line of its own, bold."""
        with self._style(size, BLACK, bold=True):
            self._block(" ".join(text.split()))

    def note(self, text: str) -> None:
        """A small grey line."""
        with self._style(SIZE - 2.5, GREY):
            self._block(text)

    def rule(self) -> None:
        """A thin line across."""
        pdf = self._pdf
        pdf.ln(2)
        pdf.set_draw_color(*GREY)
        pdf.set_line_width(0.1)
        pdf.line(pdf.l_margin, pdf.get_y(), pdf.w - pdf.r_margin, pdf.get_y())
        pdf.ln(2)

    def paragraph(self, runs: Sequence[tuple[str, bool, str]]) -> None:
        """Words, some of them bold or links."""
        text = "".join(run for run, _, _ in runs)
        if any(map(_is_right_to_left, text)):
            # The order of a line's words is found over the whole of it, so it is set in one.
            with self._style(SIZE, BLACK):
                self._block(text)
            return
        pdf, line = self._pdf, SIZE * LINE * 0.3528
        margin = pdf.l_margin
        pdf.set_left_margin(margin + self._indent())
        pdf.set_x(pdf.l_margin)
        for run, bold, link in runs:
            target = link if is_safe_link(link) else ""
            with self._style(SIZE, BLUE if target else BLACK, bold=bold):
                pdf.write(line, self._printable(run), link=target)
        pdf.ln(line + 1.5)
        pdf.set_left_margin(margin)
        pdf.set_x(margin)

    def code(self, text: str) -> None:
        """Lines as they are, on grey."""
        self._pdf.set_fill_color(*CODE_BACKGROUND)
        with self._style(SIZE - 1.5, BLACK):
            self._block(text.rstrip("\n").expandtabs(4), fill=True)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """A table; a very wide one as lines."""
        columns = max(map(len, rows))
        if columns > MAX_COLUMNS:
            for row in rows:
                self.paragraph([(" | ".join(row), False, "")])
            return
        with self._style(SIZE - 1, BLACK), self._pdf.table(first_row_as_headings=False) as table:
            for row in rows:
                cells = table.row()
                for cell in [*row, *[""] * (columns - len(row))]:
                    cells.cell(self._printable(cell))
        self._pdf.ln(2)

    def explain(self) -> None:
        """Say what could not be printed, if anything."""
        if self._said:
            self.rule()
            self.note(
                f"{self._said} characters are named in [brackets]: no installed font has them."
            )
        if self._right_to_left and not self._shapes:
            self.note(
                "Arabic and Hebrew are not joined and ordered: the package for it is missing."
            )

    def output(self) -> bytes:
        """The finished document."""
        return bytes(self._pdf.output())

    def close(self) -> None:
        """Close the files of the fonts, which only a finished document does by itself."""
        for font in self._pdf.fonts.values():
            if isinstance(font, TTFFont):
                font.close()

    def _block(self, text: str, *, fill: bool = False) -> None:
        pdf = self._pdf
        pdf.set_x(pdf.l_margin + self._indent())
        align = "R" if _begins_right_to_left(text) else "L"
        size = pdf.font_size_pt * LINE * 0.3528
        try:
            pdf.multi_cell(
                0,
                size,
                self._printable(text),
                align=align,
                fill=fill,
                new_x=XPos.LMARGIN,
                new_y=YPos.NEXT,
            )
        except FPDFException as error:
            raise ChatError("too_large", "the conversation cannot be set as PDF") from error
        pdf.ln(1)

    def _indent(self) -> float:
        return INDENT * min(self.level, MAX_LEVELS)

    @contextmanager
    def _style(self, size: float, colour: tuple[int, int, int], *, bold: bool = False) -> Any:
        """A size, a colour, and boldness: the outlines drawn thicker, which suits every script
        and needs no second set of large fonts.
        """
        pdf = self._pdf
        pdf.set_font(self._family, size=size)
        pdf.set_text_color(*colour)
        if bold:
            pdf.text_mode = TextMode.FILL_STROKE
            pdf.set_draw_color(*colour)
            pdf.set_line_width(size * 0.012)
        try:
            yield
        finally:
            pdf.text_mode = TextMode.FILL

    def _printable(self, text: str) -> str:
        text = _DROPPED.sub("", text)
        if not self._missing:
            return text
        pieces = []
        for character in text:
            if ord(character) in self._missing:
                self._said += 1
                pieces.append(fonts.name_of(ord(character)))
            else:
                pieces.append(character)
        return "".join(pieces)


def _is_right_to_left(character: str) -> bool:
    return character >= "\u0590" and unicodedata.bidirectional(character) in {"R", "AL"}


def _begins_right_to_left(text: str) -> bool:
    """Whether the first letter that has a direction is written from the right."""
    directions = map(unicodedata.bidirectional, text)
    return next((way for way in directions if way in {"R", "AL", "L"}), "L") != "L"
