"""Attachments are what their content says, made harmless, and kept under the server's names."""

from __future__ import annotations

import io
import os
import struct
import zlib
from datetime import timedelta
from pathlib import Path

import pypdf
import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chat.attachments import Accepted, Limits, accept, clean_name, files
from chat.attachments.examination import examine_image, examine_pdf
from chat.errors import ChatError


def picture(kind: str, size: tuple[int, int] = (40, 20), **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, kind, **options)
    return out.getvalue()


def pdf(*pages: str) -> bytes:
    document = FPDF()
    document.set_font("helvetica")
    for text in pages:
        document.add_page()
        document.write(text=text)
    return bytes(document.output())


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/png")],
)
async def test_images_are_known_by_content_and_encoded_anew(kind: str, media_type: str) -> None:
    found = await accept(picture(kind), "../../etc/shadow.exe")
    assert (found.kind, found.media_type, found.name) == ("image", media_type, "shadow.exe")
    assert (found.width, found.height, found.text) == (40, 20, None)
    with Image.open(io.BytesIO(found.data)) as image:
        assert image.size == (40, 20)
        assert Image.MIME[str(image.format)] == media_type


def test_metadata_is_gone_and_the_picture_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010E] = "taken at home"
    data = picture("JPEG", exif=exif, comment=b"secret comment")
    assert b"taken at home" in data
    seen = examine_image(data, Limits())
    assert (seen.width, seen.height) == (20, 40)
    assert b"taken at home" not in seen.data
    assert b"secret" not in seen.data
    with Image.open(io.BytesIO(seen.data)) as image:
        assert not image.getexif()


def test_what_follows_an_image_is_dropped() -> None:
    seen = examine_image(picture("PNG") + b"<script>alert(1)</script>", Limits())
    assert b"script" not in seen.data


def test_transparency_stays() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(out, "PNG")
    with Image.open(io.BytesIO(examine_image(out.getvalue(), Limits()).data)) as image:
        assert image.getpixel((0, 0)) == (0, 0, 0, 0)


def test_a_large_image_is_made_smaller() -> None:
    seen = examine_image(picture("PNG", (300, 150)), Limits(max_side=100))
    assert (seen.width, seen.height) == (100, 50)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (png_header(60_000, 60_000), "attachment_too_large"),
        (png_header(40_000, 1), "attachment_too_large"),
        (png_header(100, 100), "attachment_unreadable"),
        (picture("PNG")[:60], "attachment_unreadable"),
        (picture("JPEG")[:200], "attachment_unreadable"),
        (b"GIF89a/*<script>*/=1;", "attachment_unreadable"),
        (b"RIFF\0\0\0\0WEBP", "attachment_unreadable"),
    ],
)
async def test_hostile_images_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(ChatError) as refused:
        examine_image(data, Limits())
    assert refused.value.code == code
    with pytest.raises(ChatError) as refused:
        await accept(data, "x.png")
    assert refused.value.code == code


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]), st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_images_give_an_error_or_an_image(
    noise: bytes, kind: str, data: st.DataObject
) -> None:
    whole = picture(kind)
    at = data.draw(st.integers(0, len(whole)))
    try:
        seen = examine_image(whole[:at] + noise + whole[at + len(noise) :], Limits())
    except ChatError as error:
        assert error.code in {"attachment_unreadable", "attachment_too_large"}
    else:
        assert seen.width * seen.height <= Limits().max_pixels


async def test_text_is_what_decodes() -> None:
    found = await accept("\ufeffHéllo\r\n世界".encode(), "notes.md")
    assert (found.kind, found.media_type, found.text) == ("text", "text/plain", "Héllo\n世界")
    assert found.data == "Héllo\n世界".encode()
    assert (await accept("hi".encode("utf-16"), "a")).text == "hi"
    html = await accept(b"<script>alert(1)</script>", "x.html")
    assert (html.media_type, html.suffix) == ("text/plain", ".txt")


@pytest.mark.parametrize(
    "data", [b"\x7fELF\x02\x01", b"MZ\x90\x00", b"a\x00b", b"\xc3\x28", b"PK\3\4"]
)
async def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ChatError) as refused:
        await accept(data, "innocent.txt")
    assert refused.value.code == "attachment_unsupported"


async def test_sizes_are_bounded() -> None:
    with pytest.raises(ChatError) as refused:
        await accept(b"x" * 11, "x", Limits(max_bytes=10))
    assert refused.value.code == "attachment_too_large"
    with pytest.raises(ChatError) as refused:
        await accept(b"", "x")
    assert refused.value.code == "attachment_unreadable"
    found = await accept(b"x" * 11, "x", Limits(max_text_chars=10))
    assert (found.text, bool(found.shortened)) == ("x" * 10, True)


async def test_the_words_of_a_pdf() -> None:
    found = await accept(pdf("First page.", "Second page."), "a.pdf")
    assert (found.kind, found.media_type, found.shortened) == ("pdf", "application/pdf", "")
    assert found.text == "First page.\n\nSecond page."
    assert "scanned" in examine_pdf(pdf(""), Limits()).shortened


def test_a_long_pdf_is_shortened_and_says_so() -> None:
    seen = examine_pdf(pdf("one", "two", "three"), Limits(max_pages=2))
    assert (seen.text, seen.shortened) == ("one\n\ntwo", "only pages 1 to 2 of 3 are used")
    seen = examine_pdf(pdf("one two"), Limits(max_text_chars=3))
    assert (seen.text, seen.shortened) == ("one", "only the first 3 characters are used")


@given(st.binary(max_size=60), st.data())
@settings(max_examples=40, deadline=None)
def test_damaged_pdfs_give_an_error_or_words(noise: bytes, data: st.DataObject) -> None:
    whole = pdf("words")
    at = data.draw(st.integers(0, len(whole)))
    try:
        examine_pdf(whole[:at] + noise + whole[at + len(noise) :], Limits())
    except ChatError as error:
        assert error.code == "attachment_unreadable"


def test_what_takes_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    image, document = picture("PNG"), pdf("words")

    def burst(*_given: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "thumbnail", burst)
    monkeypatch.setattr(pypdf.PageObject, "extract_text", burst)
    with pytest.raises(ChatError) as refused:
        examine_image(image, Limits())
    assert refused.value.code == "attachment_too_large"
    with pytest.raises(ChatError, match="memory") as refused:
        examine_pdf(document, Limits())
    assert refused.value.code == "attachment_unreadable"


def test_a_protected_pdf_is_refused() -> None:
    document = FPDF()
    document.set_encryption(owner_password="o", user_password="u")
    document.add_page()
    with pytest.raises(ChatError, match="password"):
        examine_pdf(bytes(document.output()), Limits())


async def test_a_file_that_takes_too_long_or_too_much_is_given_up() -> None:
    with pytest.raises(ChatError, match="too long"):
        await accept(pdf("x"), "x.pdf", Limits(seconds=0.001))
    bomb = zlib.compress(b"(" * 80_000_000)  # 80 MB of operators in one page
    page = (
        b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 9 9]>>endobj\n"
        b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream endobj\n"
        b"trailer<</Root 1 0 R>>" % (len(bomb), bomb)
    )
    with pytest.raises(ChatError) as refused:
        await accept(page, "x.pdf", Limits(seconds=5, memory_bytes=200 * 2**20))
    assert refused.value.code == "attachment_unreadable"


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("a/b\\c.txt", "c.txt"),
        ("../..", "file"),
        ("", "file"),
        ("x\x00y\n z.png", "x y z.png".replace(" y", "y")),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("e\u0301.txt", "é.txt"),
        ("n" * 300 + ".pdf", "n" * 116 + ".pdf"),
        ("\ud800a", "a"),
    ],
)
def test_names_are_only_shown(given_name: str, shown: str) -> None:
    assert clean_name(given_name) == shown


@given(st.text())
def test_any_name_is_made_showable(name: str) -> None:
    shown = clean_name(name)
    assert 0 < len(shown) <= 120
    assert not set(shown) & set("/\\\n\r\t\x00")


def kept(text: str = "words", kind: str = "pdf", suffix: str = ".pdf") -> Accepted:
    return Accepted(kind, "x", "application/pdf", suffix, b"data", text)  # type: ignore[arg-type]


def test_files_lie_under_the_servers_names(tmp_path: Path) -> None:
    stored = files.save(tmp_path, kept())
    assert files.read(tmp_path, stored) == b"data"
    assert files.words_of(tmp_path, stored) == "words"
    assert len(list((tmp_path / "attachments").iterdir())) == 2
    text = files.save(tmp_path, Accepted("text", "x", "text/plain", ".txt", b"t", "t"))
    assert files.words_of(tmp_path, text) == "t"
    image = files.save(tmp_path, Accepted("image", "x", "image/png", ".png", b"i"))
    assert files.words_of(tmp_path, image) is None
    files.remove(tmp_path, stored)
    files.remove(tmp_path, stored)
    with pytest.raises(ChatError):
        files.read(tmp_path, stored)


@pytest.mark.parametrize(
    "name", ["../secret", "", "a.txt", "/etc/passwd", "0" * 32 + ".txt/..", "."]
)
def test_no_other_file_can_be_reached(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "attachments").mkdir()
    (tmp_path / "attachments" / "a.txt").write_text("s")
    with pytest.raises(ChatError) as refused:
        files.read(tmp_path, name)
    assert refused.value.code == "not_found"
    files.remove(tmp_path, name)
    assert (tmp_path / "secret").exists()
    assert (tmp_path / "attachments" / "a.txt").exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "attachments").mkdir()
    name = "0" * 32 + ".txt"
    (tmp_path / "attachments" / name).symlink_to("/etc/passwd")
    with pytest.raises(ChatError):
        files.path_of(tmp_path, name)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        files.save(tmp_path, kept())
    assert list((tmp_path / "attachments").iterdir()) == []


def test_orphans_are_removed_and_nothing_else(tmp_path: Path) -> None:
    assert files.find_orphans(tmp_path, set()) == []
    known, orphan, fresh = (files.save(tmp_path, kept()) for _ in range(3))
    left = tmp_path / "attachments" / ".new-x"
    left.write_text("")
    for name in (known, orphan, f"{known}.words", f"{orphan}.words", left.name):
        os.utime(tmp_path / "attachments" / name, (0, 0))
    assert files.remove_orphans(tmp_path, {known}, older_than=timedelta(hours=1)) == 3
    assert files.read(tmp_path, known)
    assert files.words_of(tmp_path, known) == "words"
    assert files.read(tmp_path, fresh)
