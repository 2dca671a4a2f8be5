"""What an image or a PDF holds. Runs in a process of its own: see `isolation`."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from chat.attachments.limits import Limits
from chat.errors import ChatError

PDF_TYPE = "application/pdf"
IMAGE_TYPES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
"""What images are stored as, and the suffix. A GIF becomes a PNG of its first picture."""

_FORMATS = {"PNG": "PNG", "JPEG": "JPEG", "MPO": "JPEG", "WEBP": "WEBP", "GIF": "PNG"}
MAX_SIDE = 30_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found: an image encoded anew (`data`), or a document's `text`."""

    media_type: str
    data: bytes = field(default=b"", repr=False)
    text: str = field(default="", repr=False)
    shortened: str = ""
    width: int = 0
    height: int = 0


def examine_image(data: bytes, limits: Limits) -> Seen:
    """Decode the picture and encode it again from its pixels alone: upright, no metadata.

    Raises `ChatError` `attachment_too_large`, `attachment_unreadable`.
    """
    from PIL import Image, ImageOps  # noqa: PLC0415  only the process that reads images loads it

    Image.MAX_IMAGE_PIXELS = None  # checked below, with an error of our own
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP", "GIF"])
        width, height = image.size
        if width * height > limits.max_pixels or max(width, height) > MAX_SIDE:
            raise ChatError(
                "attachment_too_large",
                f"the image has {width} x {height} pixels; at most {limits.max_pixels:,} are taken",
            )
        target = _FORMATS[str(image.format)]
        image.load()
        upright = ImageOps.exif_transpose(image)
        has_alpha = "A" in upright.getbands() or "transparency" in upright.info
        mode = "RGBA" if has_alpha and target != "JPEG" else "RGB"
        pixels = upright.convert(mode)
        pixels.thumbnail((limits.max_side, limits.max_side))
        bare = Image.new(mode, pixels.size)
        bare.paste(pixels)
        out = io.BytesIO()
        bare.save(out, target, **({"quality": 90} if target != "PNG" else {}))
    except ChatError:
        raise
    except MemoryError:
        raise ChatError("attachment_too_large", "the image takes too much memory") from None
    except Exception as error:  # decoders raise almost anything on damaged data
        raise ChatError("attachment_unreadable", "the image is damaged") from error
    return Seen(f"image/{target.lower()}", out.getvalue(), width=bare.width, height=bare.height)


def examine_pdf(data: bytes, limits: Limits) -> Seen:
    """The words of the document, page by page, as far as the limits go.

    Raises `ChatError` `attachment_unreadable`.
    """
    from pypdf import PdfReader  # noqa: PLC0415  only the process that reads documents loads it

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ChatError("attachment_unreadable", "the PDF is protected by a password")
        count = len(reader.pages)
        pieces: list[str] = []
        length = 0
        shortened = ""
        for number, page in enumerate(reader.pages, 1):
            if number > limits.max_pages or length >= limits.max_text_chars:
                shortened = f"only pages 1 to {number - 1} of {count} are used"
                break
            words = _clean(page.extract_text())
            pieces.append(words[: limits.max_text_chars - length])
            length += len(words)
            if length > limits.max_text_chars:
                shortened = f"only the first {limits.max_text_chars:,} characters are used"
    except ChatError:
        raise
    except (MemoryError, RecursionError):
        raise ChatError("attachment_unreadable", "the PDF takes too much memory to read") from None
    except Exception as error:  # a damaged document raises almost anything
        raise ChatError("attachment_unreadable", "the PDF is damaged") from error
    text = "\n\n".join(piece for piece in pieces if piece)
    if not text:
        shortened = "the PDF has no text that can be read (perhaps it is scanned)"
    return Seen(PDF_TYPE, text=text, shortened=shortened)


def _clean(text: str) -> str:
    text = text.encode("utf-8", "ignore").decode()
    return "".join(c for c in text if c in "\n\t" or ord(c) >= 32).strip()
