"""How to read aloud what is written for machines: addresses, paths, identifiers. Pure.

Every function takes words for what differs between languages (`dot`, `at`, `slash`) and a reader
for digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

# Every run is bounded, so that hostile text costs no more than its length.
EMAIL = r"[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
URL = r"(?:https?|ftp|wss?|file)://[^\s<>\[\]()\"'`*|]+(?:\([^\s()]*\)[^\s<>\[\]()\"'`*|]*)*"
_TLDS = "com|org|net|io|ai|dev|app|edu|gov|co|uk|de|fr|es|it|pt|eu|us|ca|info|me|tv|ch|at|nl|jp|in"
DOMAIN = (
    rf"(?:www\.[A-Za-z0-9.-]{{1,99}}|(?:[A-Za-z0-9-]{{1,63}}\.){{1,8}}(?:{_TLDS}))"
    r"(?![\w-]|\.[A-Za-z0-9])(?:/[^\s<>\[\]()\"'`*|]*)?"
)
_SUFFIXES = (
    "py|js|ts|md|txt|json|ya?ml|toml|csv|html?|css|pdf|docx?|xlsx?|png|jpe?g|gif|svg|mp3|mp4"
)
_SUFFIXES += "|wav|zip|sh|exe|dll|java|cpp|rs|go|sql|xml|ini|cfg|log|lock|onnx|gguf"
FILE = rf"[A-Za-z0-9][\w-]{{0,63}}(?:\.[A-Za-z0-9_-]{{1,63}}){{0,5}}\.(?:{_SUFFIXES})(?!\w)"
PATH = r"(?:[A-Za-z]:\\[\w.\\-]+|(?:~|\.{1,2})?/(?:[\w.@-]{1,99}/)+[\w.@-]*|[~.]{1,2}/[\w.@-]+)"
IDENTIFIER = r"[A-Za-z0-9]{1,63}(?:_[A-Za-z0-9]+)+(?:\(\))?|[A-Za-z_]\w{0,63}\(\)"

_READABLE = {"com", "org", "net", "info", "gov", "dev", "app", "me", "co", "in", "it", "at", "us"}
_READABLE |= {"json", "toml", "yaml", "java", "zip", "wav", "log", "lock", "ini", "go", "gif"}
_RESPELT = {"txt": "text", "yml": "yaml", "jpg": "jpeg", "htm": "html", "edu": "edu"}
_CHUNK = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_OPERATORS = {"=": "equals", "+": "plus", "==": "equals", "<": "less than", ">": "greater than"}
_CODE = re.compile(r"(?<=\s)(?:==?|[+<>])(?=\s)|" + _CHUNK.pattern)


@dataclass(frozen=True, slots=True)
class AddressWords:
    """A language's words for the signs inside addresses, and its reader for a run of digits."""

    at: str
    dot: str
    slash: str
    dash: str
    underscore: str
    plus: str
    code: str
    """What is said instead of inline code too long to be read."""
    digits: Callable[[str], str]


def spell(letters: str) -> str:
    """Letter names as one spoken word: `"pdf"` is `"P-D-F"` (a lone `A` would be an article)."""
    return "-".join(letters.upper())


def read_email(address: str, words: AddressWords) -> str:
    """`"john.doe@example.com"` is `"john dot doe at example dot com"`."""
    local, _, host = address.partition("@")
    return f"{_read_name(local, words)} {words.at} {_read_host(host, words)}"


def read_url(url: str, words: AddressWords) -> str:
    """Host and a short path: the scheme, `www.`, the query and a long path are left out."""
    rest = re.sub(r"^\w+://", "", url)
    host, _, path = rest.partition("/")
    host = re.sub(r"^www\.", "", host.partition("@")[2] or host, flags=re.IGNORECASE)
    host = re.split(r"[?#]", host)[0]
    segments = [part for part in re.split(r"[?#]", path)[0].split("/") if part]
    spoken = _read_host(host, words)
    if len(segments) <= 2 and all(_is_readable(part) for part in segments):
        for part in segments:
            spoken += f" {words.slash} {read_identifier(part, words)}"
    return spoken.strip()


def read_path(path: str, words: AddressWords) -> str:
    """The last two parts of a path: `"~/data/models/x.bin"` is `"models slash x dot bin"`."""
    parts = [part for part in re.split(r"[/\\]", path) if part.strip(".~:")][-2:]
    return f" {words.slash} ".join(filter(None, (read_file(part, words) for part in parts)))


def read_file(name: str, words: AddressWords) -> str:
    """`"main_loop.py"` is `"main loop dot P-Y"`."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem:
        return read_identifier(name, words)
    return f"{read_identifier(stem, words)} {words.dot} {_read_label(suffix, words)}".strip()


def read_identifier(name: str, words: AddressWords) -> str:
    """The words of an identifier: `"fooBar_2()"` is `"foo Bar two"`."""
    return " ".join(
        words.digits(chunk) if chunk.isdecimal() else chunk
        for chunk in _CHUNK.findall(name)
        if chunk.isalpha() or chunk.isdecimal()
    )


def read_code(code: str, words: AddressWords) -> str:
    """Inline code: its identifiers' words; too much of it is only mentioned."""
    chunks = _CODE.findall(f" {code} ")
    if len(chunks) > 12:
        return words.code
    if re.fullmatch(f"{FILE}|{PATH}", code):
        return read_path(code, words)
    said = [
        words.digits(chunk) if chunk.isdecimal() else _OPERATORS.get(chunk, chunk)
        for chunk in chunks
        if chunk in _OPERATORS or chunk.isalpha() or chunk.isdecimal()
    ]
    return " ".join(said)


def _is_readable(part: str) -> bool:
    """Short, and words rather than a key: at most one run of digits, letters with vowels."""
    return len(part) <= 20 and len(re.findall(r"\d+", part)) <= 1 and "%" not in part


def _read_host(host: str, words: AddressWords) -> str:
    host, _, port = host.partition(":")
    labels = [label for label in host.split(".") if label]
    if not labels:
        return ""
    said = [read_identifier(label, words) for label in labels[:-1]]
    said.append(_read_label(labels[-1], words))
    if port.isdecimal():
        said[-1] += " " + words.digits(port)
    return f" {words.dot} ".join(filter(None, said))


def _read_label(label: str, words: AddressWords) -> str:
    """A top-level domain or a file suffix: a word if it is read as one, else spelt."""
    lower = label.lower()
    if lower in _RESPELT:
        return _RESPELT[lower]
    if lower in _READABLE or len(label) > 4 or not (label.isascii() and label.isalpha()):
        return read_identifier(label, words)
    return spell(lower)


def _read_name(name: str, words: AddressWords) -> str:
    signs = {".": words.dot, "-": words.dash, "_": words.underscore, "+": words.plus}
    said = [
        signs[part] if part in signs else read_identifier(part, words)
        for part in re.split(r"([.+_-])", name)
    ]
    return " ".join(filter(None, said))
