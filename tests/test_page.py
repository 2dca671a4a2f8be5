"""The page as it is served: whole documents in the visitor's language, files packed once."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from voice.app import create_app
from voice.catalogue import pick_language, read_words
from voice.page import Page
from voice.sections import KioskSettings
from voice.settings import Settings

WEB = Path(__file__).parents[1] / "web"
LANGUAGES = sorted(path.stem for path in WEB.glob("words/*.js"))
FIRST_ANSWER = 14_600
"""Bytes that a server may send before it hears from the client again: ten segments (RFC 6928)."""

VOID = {"meta", "link", "input", "path", "rect", "circle"}
ATTRIBUTES = {"label": "aria-label", "title": "title", "placeholder": "placeholder"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Document(HTMLParser):
    """The elements of a document, each with the text that stands directly in it."""

    source: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].text += data

    def one(self, **attributes: str) -> Element:
        [found] = [it for it in self.elements if attributes.items() <= it.attributes.items()]
        return found

    def tagged(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


def open_page(**kiosk: object) -> TestClient:
    return TestClient(Page(WEB, KioskSettings.model_validate(kiosk)))


def words_of(language: str) -> dict[str, str]:
    return read_words((WEB / "words" / f"{language}.js").read_text())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/", "/kiosk"])
def test_a_document_comes_with_its_words_in_it(path: str, language: str) -> None:
    answer = open_page().get(path, headers={"accept-language": f"{language}-XX, en;q=0.5"})
    document = Document(answer.text)
    words = words_of(language)
    asked = 0
    for element in document.elements:
        for name, key in element.attributes.items():
            if name == "data-message":
                assert element.text == words[key], key
            elif name.startswith("data-message-"):
                shown = ATTRIBUTES[name.removeprefix("data-message-")]
                assert element.attributes[shown] == words[key], key
            else:
                continue
            asked += 1
    assert asked > 10
    [root] = document.tagged("html")
    assert root.attributes["lang"] == language
    assert root.attributes["dir"] == ("rtl" if language == "ar" else "ltr")
    assert len(gzip.compress(answer.content)) < FIRST_ANSWER


def test_what_paints_first_stands_in_the_document_and_may_run() -> None:
    with TestClient(create_app(Settings()), base_url="http://127.0.0.1:8000") as http:
        for path in ("/", "/kiosk"):
            answer = http.get(path)
            document = Document(answer.text)
            policy = answer.headers["content-security-policy"]
            named = [it.attributes.get("rel") for it in document.tagged("link")]
            assert "stylesheet" not in named
            [style] = document.tagged("style")
            assert ".stage" in style.text
            assert "url(" not in style.text.replace('url("data:', ""), (
                "it would be another one here"
            )
            scripts = [it for it in document.tagged("script") if "src" not in it.attributes]
            assert len(scripts) == (1 if path == "/" else 0)
            for element in (style, *scripts):
                digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
                kind = f"{element.tag}-src"
                [allowed] = [part for part in policy.split("; ") if part.startswith(kind)]
                assert f"'sha256-{digest}'" in allowed


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("nl, fr-CA;q=0.7, es;q=0.9", "es"),
        ("JA", "ja"),
        ("fr;q=0, de;q=0.1", "de"),
        ("de, fr", "de"),
        ("tlh, *;q=0.5", "en"),
        ("de;q=high, fr;q=2, es ; q = 0.4", "es"),
        (";;,=,\x7f", "en"),
    ],
)
def test_the_browsers_languages_are_weighed(wanted: str, language: str) -> None:
    assert pick_language(wanted, LANGUAGES) == language


def test_a_language_that_was_chosen_goes_before_the_browsers() -> None:
    german = {"accept-language": "de"}
    cookie = {"cookie": "vivavoce_language=fr"}
    assert '<html lang="fr"' in open_page().get("/", headers=german | cookie).text
    assert '<html lang="de"' in open_page().get("/kiosk", headers=german | cookie).text
    strange = {"cookie": 'vivavoce_language="><script>'}
    assert '<html lang="en"' in open_page().get("/", headers=german | strange).text
    assert open_page().get("/").headers["vary"] == "accept-encoding, accept-language, cookie"


def test_the_kiosk_shows_at_once_what_its_operator_has_set() -> None:
    http = open_page(
        title="Ask <us>",
        greeting="Trees & tickets",
        theme="dark",
        contrast="more",
        page_language="ja",
    )
    document = Document(http.get("/kiosk", headers={"accept-language": "de"}).text)
    assert document.one(id="title").text == "Ask <us>"
    assert document.one(id="greeting").text == "Trees & tickets"
    assert document.one(id="phase").text == words_of("ja")["kiosk.begin"]
    root = document.one(lang="ja").attributes
    assert (root["data-theme"], root["data-contrast"]) == ("dark", "more")
    page = Document(http.get("/", headers={"accept-language": "de"}).text)
    assert "data-theme" not in page.one(lang="de").attributes
    plain = Document(open_page().get("/kiosk/").text)
    assert plain.one(id="title").text == words_of("en")["kiosk.title"]


def test_files_are_packed_and_asked_for_again() -> None:
    http = open_page()
    small = http.get("/app.js")
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < len(small.content) == len(small.text.encode())
    assert small.text == (WEB / "app.js").read_text()
    plain = http.get("/app.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == small.content
    again = http.get("/app.js", headers={"if-none-match": f'"x", {small.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == small.headers["etag"]
    other = http.get("/", headers={"if-none-match": small.headers["etag"]})
    assert other.status_code == 200


def test_a_file_that_was_changed_is_served_anew(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    for name in ("index.html", "early.js", "words/en.js"):
        (tmp_path / name).write_text((WEB / name).read_text())
    (tmp_path / "styles").mkdir()
    for path in WEB.glob("styles/*.css"):
        (tmp_path / "styles" / path.name).write_text(path.read_text())
    http = TestClient(Page(tmp_path, KioskSettings()))
    before = http.get("/")
    with (tmp_path / "styles" / "base.css").open("a") as file:
        file.write("/* changed */")
    after = http.get("/")
    assert "/* changed */" in after.text
    assert after.headers["etag"] != before.headers["etag"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/", 200),
        ("POST", "/", 405),
        ("DELETE", "/app.js", 405),
        ("GET", "/nothing.js", 404),
        ("POST", "/v1/nothing", 404),
        ("GET", "/__init__.py", 404),
        ("GET", "/styles", 404),
        ("GET", "/words/", 404),
        ("GET", "/%2e%2e/pyproject.toml", 404),
        ("GET", "/serviceworker.d.ts", 404),
    ],
)
def test_nothing_else_is_served(method: str, path: str, status: int) -> None:
    http = TestClient(create_app(Settings()), base_url="http://127.0.0.1:8000")
    assert http.request(method, path).status_code == status


def test_a_websocket_that_leads_nowhere_is_closed() -> None:
    with pytest.raises(WebSocketDisconnect), open_page().websocket_connect("/nothing"):
        pass


def test_a_catalogue_is_a_literal() -> None:
    source = """// Words
    export default {
      /* a "comment" */
      "one": "a // b, }", // more
      "two":
        "c \\"d\\"",
      "three": { one: "x", other: "y", },
    };"""
    words = read_words(source)
    assert words == {"one": "a // b, }", "two": 'c "d"', "three": {"one": "x", "other": "y"}}
    for wrong in (
        "",
        "export default [];",
        "export default { one: 'x' };",
        "export default { a b }",
    ):
        with pytest.raises(ValueError, match=r"\S"):
            read_words(wrong)
