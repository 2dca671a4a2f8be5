"""A server that tells long stories, speech for it to hear, and browsers to visit it with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Browser, Playwright, sync_playwright

from bench.serving import Server, free_port, start_server, stop_server
from tests.browser.chromium import open_chromium, write_timeline
from tests.conftest import Speak
from voice.pins import hash_pin

STORY = "Tell me a long story about a dragon."
"""Takes minutes to tell."""
NAME = "What is your name?"
CAPITAL = "What is the capital of France?"
"""Even the smallest model knows: Paris."""

STEADY = {"VIVAVOCE_LLM_TEMPERATURE": "0", "VIVAVOCE_TTS_LEAD_SECONDS": "6"}
"""The same answer to the same words, so that a story asked for is a long one every time."""

PIN = "2718"
OPERATOR = {
    "VIVAVOCE_KIOSK_TITLE": "Ask the garden",
    "VIVAVOCE_KIOSK_GREETING": "Trees, tickets, opening hours.",
    "VIVAVOCE_KIOSK_PROMPT": "You are the voice of a garden. Answer in one short sentence.",
    "VIVAVOCE_KIOSK_VOICE": "bf_emma",
    "VIVAVOCE_KIOSK_LANGUAGES": '["en"]',
    "VIVAVOCE_KIOSK_IDLE_SECONDS": "6",
    "VIVAVOCE_KIOSK_THEME": "dark",
}
"""What the operator of the kiosk has set."""


@dataclass
class House:
    """The server, which a test may kill and start again where it was."""

    folder: Path
    server: Server
    own: dict[str, str] = field(default_factory=lambda: STEADY)
    """Its settings."""

    @property
    def url(self) -> str:
        return self.server.url

    def kill(self) -> None:
        """End it as a crash does."""
        self.server.process.kill()
        self.server.process.wait()

    def start_again(self) -> None:
        self.server = start_server(self.folder / "again", port=self.server.port, **self.own)


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    # What the pages keep is kept in this folder, and not among what the machine's owner has.
    own = {
        **STEADY,
        **OPERATOR,
        "VIVAVOCE_KIOSK_PIN_HASH": hash_pin(PIN),
        "VIVAVOCE_STORAGE_URL": f"sqlite:///{folder}/kept.db",
    }
    running = House(folder, start_server(folder / "log", port=free_port(), **own), own)
    yield running
    stop_server(running.server)


@dataclass(frozen=True)
class Clips:
    """Microphones: WAV files that begin when a page opens its microphone."""

    pressed: Path
    """For push-to-talk: STORY, then NAME over and over."""
    story_seconds: float
    """How long STORY takes in it, with the silence around it."""
    name_seconds: float
    """How long NAME takes in it, with the silence before the next."""
    free: Path
    """For hands-free: STORY, "I see" twice over the answer, and 20 s after STORY, NAME."""
    capital: Path
    capital_seconds: float
    silence: Path


@pytest.fixture(scope="package")
def clips(speak: Speak, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    folder = tmp_path_factory.mktemp("microphones")
    story = speak(STORY, before=0.5, after=0.4)
    name = speak(NAME, before=0.3, after=0.7)
    nod = speak("I see.", before=0.1, after=0.1)
    nod_seconds = soundfile.info(nod).duration
    capital = speak(CAPITAL, before=0.5, after=0.4)
    return Clips(
        pressed=write_timeline(folder / "pressed.wav", story, 3.0, *([name] * 60)),
        story_seconds=soundfile.info(story).duration,
        name_seconds=soundfile.info(name).duration,
        free=write_timeline(
            folder / "free.wav", 1.0, story, 9.0, nod, 3.0, nod, 20.0 - 12.0 - 2 * nod_seconds, name
        ),
        capital=capital,
        capital_seconds=soundfile.info(capital).duration,
        silence=write_timeline(folder / "silence.wav", 5.0),
    )


# After `clips`: speech is made in an event loop of its own, and Playwright keeps one running here.
@pytest.fixture(scope="package")
def playwright(clips: Clips) -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def silent(playwright: Playwright, clips: Clips) -> Iterator[Browser]:
    """A browser whose microphone hears nothing."""
    with open_chromium(playwright, clips.silence) as browser:
        yield browser


@pytest.fixture(scope="package")
def asking(playwright: Playwright, clips: Clips) -> Iterator[Browser]:
    """A browser whose microphone hears a question, in every visit anew."""
    with open_chromium(playwright, clips.capital) as browser:
        yield browser
