"""The conversations that are kept: their list, and what can be done with them."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import House
from tests.browser.test_appearance import assert_inside
from tests.browser.test_controls import add_axe, assert_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

WRITTEN = {"mode": "text", "speakReplies": False}
PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 640}}


@dataclass(frozen=True)
class Api:
    """What lies under `url`, as another program uses it."""

    url: str

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The answer; a body of bytes is a file."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        headers = {"content-type": kind, "if-match": "*"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path: str, **query: Any) -> Any:
        return self.send("GET", f"{path}?{urlencode(query)}")

    def purge(self, conversation: str) -> None:
        self.send("POST", f"/conversations/{conversation}/purge", {})


@pytest.fixture
def api(house: House) -> Iterator[Api]:
    """What the pages keep, begun anew for each test."""
    client = Api(f"{house.url}/api/v1")
    yield client
    for archived in ("false", "true"):
        listed = client.get("/conversations", limit=200, archived=archived)
        for each in listed["conversations"]:
            client.purge(each["id"])


def chosen(**settings: Any) -> str:
    """A script that sets the page's settings before it begins."""
    return f"localStorage['vivavoce.settings'] = {json.dumps(json.dumps(settings))}"


def make(api: Api, title: str) -> str:
    """An empty conversation."""
    return str(api.send("POST", "/conversations", {"title": title})["id"])


def fill(api: Api, *conversations: tuple[str, list[str]]) -> list[str]:
    """Conversations with what was said in them, by turns, as an import makes them."""
    whole = [
        {
            "title": title,
            "id": title,
            "updated_at": 1_780_000_000 + number,
            "created_at": 1_780_000_000 + number,
            "chat": {"title": title, "history": history(said)},
        }
        for number, (title, said) in enumerate(conversations)
    ]
    body = json.dumps(whole).encode()
    job = api.send("POST", "/imports", body)
    while job["state"] not in ("done", "dead"):
        job = api.get(f"/jobs/{job['id']}")
    assert job["state"] == "done", job
    listed = api.get("/conversations", limit=200)["conversations"]
    by_title = {each["title"]: str(each["id"]) for each in listed}
    return [by_title[title] for title, _ in conversations]


def history(said: list[str]) -> dict[str, Any]:
    """As Open WebUI writes it."""
    messages = {
        str(number): {
            "id": str(number),
            "parentId": str(number - 1) if number else None,
            "childrenIds": [str(number + 1)] if number + 1 < len(said) else [],
            "role": "assistant" if number % 2 else "user",
            "content": text,
            "timestamp": 1_780_000_000 + number,
        }
        for number, text in enumerate(said)
    }
    return {"messages": messages, "currentId": str(len(said) - 1)}


def row(visit: Visit, title: str) -> Locator:
    """The line of a conversation in the list."""
    return visit.page.locator("#library li").filter(has_text=title)


def do(visit: Visit, title: str, deed: str) -> None:
    """Do something with a conversation in the list."""
    line = row(visit, title)
    line.hover()
    if not line.locator(".deeds").count():
        line.locator("button[aria-expanded]").click()
    line.get_by_role("button", name=deed, exact=True).click()


def titles(visit: Visit) -> list[str]:
    """What the list says, in order."""
    return visit.page.locator("#library-list li a > span").all_inner_texts()


def test_what_is_said_is_kept_and_found_again(house: House, silent: Browser, api: Api) -> None:
    for each in api.get("/conversations", limit=100)["conversations"]:
        api.purge(each["id"])  # what other tests have said in this house
    with visit_page(silent, house.url) as visit:
        page = visit.page
        page.locator("#library-list").get_by_text("Conversations will be listed here.").wait_for()
        visit.write("What is the capital of France?")
        visit.until("it has an address", lambda: "#c=conv_" in page.url)
        visit.until("it is listed", lambda: row(visit, "").count() == 1)
        assert row(visit, "").locator("a").get_attribute("aria-current") == "page"
        visit.until("the answer", lambda: visit.turns[-1]["played"])
        answer = visit.turns[1]["text"]
        page.locator("#log .assistant .rich").wait_for()
        visit.until("a title", lambda: titles(visit) != ["New conversation"])

        page.get_by_role("button", name="New conversation").last.click()
        visit.until("an empty page", lambda: visit.turns == [] and "#c=" not in page.url)
        page.go_back()
        visit.until("it is back", lambda: len(visit.turns) == 2)
        page.reload()
        visit.until_running()
        visit.until("it is still there", lambda: len(visit.turns) == 2)
        assert visit.turns[1]["text"] == answer
        visit.until("the session knows it", lambda: visit.events("conversation.attached"))
        assert visit.events("error") == []


def test_the_list_is_kept_in_order(house: House, silent: Browser, api: Api) -> None:
    for title in ("Gardens", "Tides", "Bread"):
        make(api, title)
    with visit_page(silent, house.url) as visit:
        page = visit.page
        visit.until("they are listed", lambda: titles(visit) == ["Bread", "Tides", "Gardens"])
        do(visit, "Gardens", "Pin")
        visit.until("it is above", lambda: titles(visit) == ["Gardens", "Bread", "Tides"])
        assert page.locator("#library-list h2").all_inner_texts() == ["Pinned", "Today"]

        do(visit, "Tides", "Rename")
        page.keyboard.type("Ebb and flow")
        page.keyboard.press("Enter")
        visit.until("its new name", lambda: row(visit, "Ebb and flow").count() == 1)
        do(visit, "Bread", "Tags")
        page.keyboard.type("kitchen, home")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="kitchen").click()
        visit.until("only those", lambda: titles(visit) == ["Bread"])
        page.get_by_role("button", name="kitchen ×").click()
        visit.until("all of them", lambda: len(titles(visit)) == 3)

        do(visit, "Bread", "Archive")
        visit.until("it is away", lambda: "Bread" not in titles(visit))
        page.locator("#library-archive").click()
        visit.until("it is in the archive", lambda: titles(visit) == ["Bread"])
        do(visit, "Bread", "Take out of the archive")
        page.locator("#library-archive").click()
        visit.until("it is back", lambda: "Bread" in titles(visit))

        do(visit, "Bread", "Delete")
        visit.until("it is gone", lambda: "Bread" not in titles(visit))
        page.get_by_role("button", name="Undo").click()
        visit.until("it was not", lambda: "Bread" in titles(visit))

        # Another page, or program, does something.
        made = make(api, "From elsewhere")
        visit.until("it is told at once", lambda: "From elsewhere" in titles(visit))
        api.send("PATCH", f"/conversations/{made}", {"title": "Renamed"})
        visit.until("so is this", lambda: "Renamed" in titles(visit))
        api.send("DELETE", f"/conversations/{made}")
        visit.until("and this", lambda: "Renamed" not in titles(visit))


def test_a_long_list_and_a_long_conversation_come_by_and_by(
    house: House, silent: Browser, api: Api
) -> None:
    said = [f"Sentence {number} of a long story." for number in range(100)]
    said[5] = "The lighthouse keeper counts **herons**."
    many = [(f"Number {number}", ["Hello", "Good day"]) for number in range(60)]
    *_, long = fill(api, *many, ("Long", said))
    with visit_page(silent, f"{house.url}#c={long}") as visit:
        page = visit.page
        visit.until("the newest", lambda: len(visit.turns) == 40)
        assert visit.turns[-1]["text"] == said[-1]
        visit.until("the first of the list", lambda: len(titles(visit)) >= 40)
        assert len(titles(visit)) < 61
        page.locator("#library-list").evaluate("it => { it.scrollTop = it.scrollHeight }")
        visit.until("all of the list", lambda: len(titles(visit)) == 61)

        top = page.locator("#log .item").first
        before = top.inner_text()
        page.locator("#scroller").evaluate("it => { it.scrollTop = 0 }")
        visit.until("older ones", lambda: len(visit.turns) == 80)
        place = page.locator("#log .item").filter(has_text=before.split("\n")[-1]).first
        assert place.evaluate("it => it.getBoundingClientRect().top") > -200, "it has not jumped"

        page.keyboard.press("Control+Shift+f")
        page.keyboard.type("herons")
        hit = page.locator(".hits a")
        hit.wait_for()
        assert page.locator(".hits mark").all_inner_texts() == ["herons"]
        assert page.locator(".found-count").inner_text() == "1 place found"
        add = page.locator(".dates input").first
        add.fill("2030-01-01")
        visit.until(
            "nothing so late", lambda: page.locator(".found-count").inner_text()[:7] == "Nothing"
        )
        add.fill("")
        hit.click()
        found = page.locator(".item.found")
        found.wait_for()
        assert "herons" in found.inner_text()
        assert found.locator("strong").inner_text() == "herons", "it is shown as Markdown"


def test_versions(house: House, silent: Browser, api: Api) -> None:
    (made,) = fill(api, ("Sums", ["One and one?", "Two."]))
    with visit_page(silent, f"{house.url}#c={made}", script=chosen(**WRITTEN)) as visit:
        page = visit.page
        visit.until("it is open", lambda: len(visit.turns) == 2)
        answer = page.locator("#log .assistant")
        answer.get_by_role("button", name="Answer again").click()
        answer.get_by_text("2 of 2").wait_for()
        second = visit.turns[1]["text"]
        answer.get_by_role("button", name="Earlier version").click()
        visit.until("the first", lambda: len(visit.turns) == 2 and visit.turns[1]["text"] == "Two.")
        answer.get_by_role("button", name="Compare versions").click()
        page.locator("dialog.compare li").nth(1).wait_for()
        both = page.locator("dialog.compare li p").all_inner_texts()
        assert both == ["Two.", second]
        page.locator("dialog.compare li").nth(1).get_by_role("button").click()
        visit.until("the second", lambda: [it["text"] for it in visit.turns][1:] == [second])

        question = page.locator("#log .user")
        question.get_by_role("button", name="Edit and send again").click()
        question.get_by_label("Your message").fill("Two and two?")
        page.keyboard.press("Enter")
        question.get_by_text("2 of 2").wait_for()
        assert visit.turns[0]["text"] == "Two and two?"
        stored = api.get(f"/conversations/{made}/messages")["messages"]
        assert [len(each["versions"]) for each in stored] == [2, 1]

        question.get_by_role("button", name="Go on from here").click()
        visit.until("another conversation", lambda: len(titles(visit)) == 2)
        visit.until(
            "with what was said", lambda: [it["text"] for it in visit.turns] == ["Two and two?"]
        )
        assert made not in page.url


def test_files_go_with_a_message(house: House, silent: Browser, api: Api, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("The word is: lighthouse.")
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(picture, "PNG")
    program = tmp_path / "program.bin"
    program.write_bytes(b"\x7fELF" + bytes(100))
    with visit_page(silent, house.url, quiet=False) as visit:
        page = visit.page
        with page.expect_file_chooser() as asked:
            page.get_by_role("button", name="Attach files").click()
        shown = {"name": "teal.png", "mimeType": "image/png", "buffer": picture.getvalue()}
        asked.value.set_files([note, program])
        page.get_by_text("Only pictures, PDF and text can be attached.").wait_for()
        page.get_by_role("button", name="Remove program.bin").click()
        page.evaluate(
            """bytes => { const file = new File([new Uint8Array(bytes)], "teal.png");
            const data = new DataTransfer(); data.items.add(file);
            document.querySelector("#box").dispatchEvent(
              new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}))
            }""",
            list(shown["buffer"]),
        )
        page.get_by_role("button", name="Remove teal.png").wait_for()
        visit.until("both are there", lambda: page.locator("#chips progress").count() == 0)
        visit.write("What is the word?")
        visit.until("the answer", lambda: len(visit.turns) == 2 and visit.turns[1]["final"])
        assert page.locator("#log .user .files a").all_inner_texts() == ["note.txt", ""]
        assert (
            page.locator("#log .user img").evaluate("it => it.decode().then(() => it.naturalWidth)")
            == 32
        )
        made = page.url.split("#c=")[1]
        stored = api.get(f"/conversations/{made}/messages")["messages"]
        assert [each["name"] for each in stored[0]["attachments"]] == ["note.txt", "teal.png"]
        visit.until(
            "the voice session is told",
            lambda: [it for it in visit.sent if it.get("conversation_id") == made],
        )


def test_what_cannot_be_sent_can_be_sent_again_or_taken_back(
    house: House, silent: Browser, api: Api
) -> None:
    with visit_page(silent, house.url, script=chosen(**WRITTEN), quiet=False) as visit:
        page = visit.page
        page.locator("#attach").wait_for()
        page.route("**/messages", lambda route: route.abort())
        visit.write("Good morning")
        page.get_by_text("The server cannot be reached.").wait_for()
        page.get_by_role("button", name="Cancel").click()
        assert page.locator("#box").input_value() == "Good morning"
        page.keyboard.press("Enter")
        page.get_by_text("The server cannot be reached.").wait_for()
        page.unroute("**/messages")
        page.get_by_role("button", name="Send again").click()
        visit.until("an answer", lambda: len(visit.turns) == 2 and visit.turns[1]["final"])
        made = page.url.split("#c=")[1]
        stored = api.get(f"/conversations/{made}/messages")["messages"]
        assert [each["role"] for each in stored] == ["user", "assistant"]


def test_drafts_and_settings_are_there_in_another_browser(
    house: House, silent: Browser, api: Api
) -> None:
    made = make(api, "Letters")
    with visit_page(silent, f"{house.url}#c={made}") as visit:
        page = visit.page
        row(visit, "Letters").wait_for()
        page.locator("#box").press_sequentially("Dear aunt,")
        visit.until(
            "it is saved",
            lambda: api.get(f"/conversations/{made}")["draft"] == "Dear aunt,",
        )
        page.locator("#open-settings").click()
        visit.until("models", lambda: page.locator("#model option").count() > 1)
        page.locator("#prompt").fill("Answer in one word.")
        page.locator("#prompt").blur()
        page.locator("#theme").select_option("dark")
        visit.until("kept", lambda: api.get("/settings").get("theme") == "dark")
        try:
            with visit_page(silent, f"{house.url}#c={made}") as other:
                box = other.page.locator("#box")
                other.until("the draft", lambda: box.input_value() == "Dear aunt,")
                root = "document.documentElement.dataset.theme"
                other.until("the theme", lambda: other.page.evaluate(root) == "dark")
                other.until(
                    "the instructions",
                    lambda: (
                        [
                            it["session"]["instructions"]
                            for it in other.sent
                            if it["type"] == "session.update" and "instructions" in it["session"]
                        ][-1:]
                        == ["Answer in one word."]
                    ),
                )
        finally:
            api.send("PUT", "/settings", {})


def test_conversations_leave_and_come_as_files(
    house: House, silent: Browser, api: Api, tmp_path: Path
) -> None:
    fill(api, ("Sums", ["One and one?", "Two."]))
    with visit_page(silent, house.url) as visit:
        page = visit.page
        row(visit, "Sums").wait_for()
        page.locator("#library-transfer").click()
        window = page.locator("dialog.transfer")
        window.get_by_role("button", name="Make the file").click()
        link = window.get_by_role("link", name="Download")
        with page.expect_download() as got:
            link.click()
        kept = tmp_path / "kept.json"
        got.value.save_as(kept)
        assert "One and one?" in kept.read_text()
        for each in api.get("/conversations")["conversations"]:
            api.purge(each["id"])
        visit.until("it is gone", lambda: titles(visit) == [])
        with page.expect_file_chooser() as asked:
            window.get_by_role("button", name="Choose a file").click()
        asked.value.set_files(kept)
        window.get_by_text("1 conversation came in.").wait_for()
        strange = tmp_path / "strange.json"
        strange.write_text('{"nothing": "here"}')
        with page.expect_file_chooser() as asked:
            window.get_by_role("button", name="Choose a file").click()
        asked.value.set_files(strange)
        window.get_by_text("This is no file of conversations that is known here.").wait_for()


def test_a_private_conversation_leaves_nothing(house: House, silent: Browser, api: Api) -> None:
    with visit_page(silent, house.url, script=chosen(mode="text", speakReplies=True)) as visit:
        page = visit.page
        page.get_by_role("button", name="Private conversation").click()
        visit.until("it says so", lambda: visit.notice.startswith("Private"))
        visit.write("Hello")
        visit.until("an answer", lambda: visit.turns and visit.turns[-1]["role"] == "assistant")
        visit.until(
            "it has a name",
            lambda: [e for e in visit.events("conversation.attached") if e["conversation_id"]],
        )
        assert "#c=" not in page.url
        assert titles(visit) == []
        assert api.get("/conversations")["conversations"] == []
        assert not page.locator("#attach").is_visible()


@pytest.mark.parametrize(
    ("language", "theme", "contrast"),
    [("en", "light", ""), ("en", "dark", ""), ("de", "light", "more"), ("ar", "dark", "more")],
)
def test_it_is_open_to_all(
    house: House, silent: Browser, api: Api, language: str, theme: str, contrast: str
) -> None:
    made, _ = fill(
        api, ("Sums", ["One and one?", "Two, as `1 + 1`."]), ("Tides", ["Why?", "The moon."])
    )
    tagged = {"tags": ["school"], "pinned": True, "draft": "And two"}
    api.send("PATCH", f"/conversations/{made}", tagged)
    looks = chosen(pageLanguage=language, theme=theme, contrast=contrast, **WRITTEN)
    with visit_page(silent, f"{house.url}#c={made}", script=looks, bypass_csp=True) as visit:
        page = visit.page
        add_axe(visit)
        visit.until("it is open", lambda: len(visit.turns) == 2 and len(titles(visit)) == 2)
        page.locator("#library li").first.hover()
        page.locator("#library li button[aria-expanded]").first.click()
        assert_open_to_all(visit)
        page.locator("#library-search").fill("moon")
        page.locator(".hits mark").wait_for()
        assert_open_to_all(visit)
        page.locator("#library-search").press("Escape")
        page.locator("#library-transfer").click()
        assert_open_to_all(visit)
        page.keyboard.press("Escape")
        page.set_viewport_size(PHONE["viewport"])
        visit.until("it is away", lambda: not page.locator("#library").is_visible())
        assert_inside(visit, 320)
        page.locator("#open-library").click()
        assert page.evaluate("document.activeElement.id") == "library-search"
        assert_inside(visit, 320)
        assert_open_to_all(visit)
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "open-library"
