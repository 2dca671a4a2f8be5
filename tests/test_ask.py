"""Reading the sound files that people have."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.test_gateway import running
from voice.ask import address_of, last_voiced, read_sound
from voice.cli import main
from voice.errors import VoiceError
from voice.keys import Keys


def tone(rate: int, seconds: float = 0.5) -> np.ndarray:
    return (0.3 * np.sin(np.arange(int(rate * seconds)) * 440 * 2 * np.pi / rate)).astype("f4")


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_usual_file_is_read(tmp_path: Path, rate: int, subtype: str, channels: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.stack([tone(rate)] * channels, axis=1), rate, subtype=subtype)
    pcm = read_sound(path)
    assert pcm.dtype == np.float32
    assert len(pcm) == pytest.approx(12_000, abs=4)
    assert np.sqrt(np.mean(np.square(pcm))) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


def test_files_that_are_no_sound_are_refused_in_one_line(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    no_samples = tmp_path / "none.wav"
    soundfile.write(no_samples, np.zeros(0, "f4"), 16_000)
    text = tmp_path / "text.wav"
    text.write_text("this is no sound")
    header = tmp_path / "header.wav"
    header.write_bytes(no_samples.read_bytes()[:20])
    for path in (empty, no_samples, text, header, tmp_path / "missing.wav", tmp_path):
        with pytest.raises(VoiceError) as error:
            read_sound(path)
        assert error.value.code == "bad_sound_file"
        result = CliRunner().invoke(main, ["ask", str(path), "--url", "ws://127.0.0.1:9/x"])
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert len(result.output.splitlines()) == 1


def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, tone(24_000), 24_000)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[:-10_000])
    assert 0 < len(read_sound(cut)) < len(read_sound(whole))


def test_samples_that_are_no_numbers_become_silence(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([np.nan, 0.5, np.nan], "f4"), 24_000, subtype="FLOAT")
    assert np.isfinite(read_sound(path)).all()


def test_the_last_voiced_sample_is_where_the_sound_ends() -> None:
    quiet = np.zeros(24_000, "f4")
    assert last_voiced(np.concatenate((quiet, tone(24_000), quiet))) == 36_000
    assert last_voiced(quiet) == 0


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/v1/realtime"),
        ("https://voice.example/", "wss://voice.example/v1/realtime"),
        ("ws://[::1]:8000", "ws://[::1]:8000/v1/realtime"),
        (
            "wss://voice.example/behind/v1/realtime?x=1",
            "wss://voice.example/behind/v1/realtime?x=1",
        ),
    ],
)
def test_a_server_is_known_by_what_a_browser_shows_of_it(url: str, address: str) -> None:
    assert address_of(url) == address


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1/", "http://[x"])
def test_what_is_no_address_is_said_in_one_line(tmp_path: Path, url: str) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(24_000), 24_000)
    result = CliRunner().invoke(main, ["ask", str(path), "--url", url])
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1


def test_no_server_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(24_000), 24_000)
    result = CliRunner().invoke(main, ["ask", str(path), "--url", "ws://127.0.0.1:9/v1/realtime"])
    assert result.exit_code == 1
    assert "no server at" in result.output
    assert len(result.output.splitlines()) == 1


async def test_a_key_is_shown_from_a_file_or_the_environment(tmp_path: Path) -> None:
    _, text = Keys(tmp_path / "keys.json").create("me", ["realtime"])
    question, file = tmp_path / "question.wav", tmp_path / "key"
    soundfile.write(question, tone(24_000), 24_000)
    file.write_text(f"{text}\n")

    async with running(data_dir=tmp_path) as server:

        async def ask(*options: str, key: str | None = None, given: str | None = None) -> str:
            """The output; it ends at the silence of the scripted recogniser, or at the door."""
            command = ["ask", str(question), "--url", server.url.replace("realtime", "x"), *options]
            run = partial(CliRunner().invoke, main, command, input=given)
            result = await asyncio.to_thread(run, env={"VIVAVOCE_KEY": key})
            assert text not in result.output
            return result.output

        # There is nothing at this address, which only those are told that are let in.
        assert "wants an API key" in await ask()
        assert "wrong or was revoked" in await ask(key=f"{text}x")
        for let_in in (
            await ask(key=text),
            await ask("--key-file", str(file)),
            await ask("--key-file", str(file), key="other"),
            await ask("--key-file", "-", given=text),
        ):
            assert let_in.startswith("Error: no server at")


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"two words", b"line\nline", b"\xff\xfe", b"\xc3\xa4"]
)
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    question, file = tmp_path / "question.wav", tmp_path / "key"
    soundfile.write(question, tone(24_000), 24_000)
    file.write_bytes(content)
    command = ["ask", str(question), "--url", "ws://127.0.0.1:9/x", "--key-file", str(file)]
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, result.output) == (1, "Error: the key file holds no API key\n")
