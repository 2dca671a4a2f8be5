"""The command `vivavoce`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, TextIO, TypeVar

import click
import soundfile
from pydantic import SecretStr

from models import fetch as fetching
from models import store
from models.errors import ModelError
from voice.ask import address_of, read_sound
from voice.ask import ask as ask_server
from voice.audio import SPOKEN_RATE, Pcm
from voice.cli_chat import back_up, restore
from voice.engines import EngineOptions, load_engine
from voice.errors import ConfigError, VoiceError
from voice.keys import SCOPES, Keys
from voice.saying import speak_text
from voice.settings import env_names, origins, read_settings, walk

P = ParamSpec("P")
R = TypeVar("R")


def plainly(command: Callable[P, R]) -> Callable[P, R]:
    """Failures that a user can mend are one line on stderr and exit status 1, no traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (VoiceError, ModelError) as error:
            raise click.ClickException(error.message) from None

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vivavoce")
def main() -> None:
    """Vivavoce: a voice assistant you run yourself. You speak, it answers aloud.

    Settings come from the command line, VIVAVOCE_* variables, and vivavoce.toml; `vivavoce config`
    lists them all.
    """


@main.command()
@click.option("--host", help="Address to listen on; any but loopback's needs API keys.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder for weights and data.")
@plainly
def serve(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Fetch what is missing, load the models and serve the assistant."""
    settings = read_settings(host=host, port=port, data_dir=data_dir)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for chatty in ("httpx2", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.root.level))
    fetch_models(settings.weights, ("starter",))
    # Its libraries take a second to load, which the other commands need not wait for.
    app: Any = import_module("voice.app")
    app.serve(settings, click.echo)


def fetch_models(weights: Path, sets: tuple[str, ...] | None) -> None:
    """Bring the weights folder up to the manifest and say what that meant."""
    report = fetching.fetch(weights, sets)
    if report.fetched:
        click.echo(f"Fetched and verified {len(report.fetched)} files into {weights}")
    else:
        click.echo(f"All {report.kept} model files are in {weights}")


@main.group()
def models() -> None:
    """The weights: what there is, fetch them, verify them."""


_data_dir = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder for weights and data."
)
_sets = click.argument("sets", nargs=-1)


@models.command("list")
@_data_dir
@plainly
def list_models(data_dir: Path | None) -> None:
    """Every model of the manifest, its size and licence, and whether it is here."""
    weights = read_settings(data_dir=data_dir).weights
    for row in store.status(weights):
        size = f"{row.size / 1e6:.0f} MB"
        click.echo(
            f"{row.model:<14} {row.set:<8} {row.state:<10} {size:>8}  "
            f"{row.licence:<12} {row.used_by}"
        )


@models.command("fetch")
@_sets
@_data_dir
@plainly
def fetch_command(sets: tuple[str, ...], data_dir: Path | None) -> None:
    """Download and verify SETS or single models (the starter set if none is named)."""
    fetch_models(read_settings(data_dir=data_dir).weights, sets or ("starter",))


@models.command("verify")
@_sets
@_data_dir
@plainly
def verify_command(sets: tuple[str, ...], data_dir: Path | None) -> None:
    """Hash every file of SETS again and compare with the manifest."""
    weights = read_settings(data_dir=data_dir).weights
    problems = store.verify(weights, sets or ("starter",))
    for problem in problems:
        click.echo(problem.message)
    if problems:
        raise click.ClickException(f"{len(problems)} files are not what the manifest says")
    click.echo("All files are what the manifest says.")


@main.group()
def keys() -> None:
    """API keys for programs: make, list, revoke them.

    While there is none, a server on loopback is open to every program of this machine; once one
    was made, all have to show one, and a running server asks for it at once.
    """


_scopes = ", ".join(f"{scope} ({meaning})" for scope, meaning in SCOPES.items())


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(list(SCOPES)),
    help=f"What it is good for; may be given several times, all of them if not: {_scopes}.",
)
@click.option(
    "--owner",
    default="",
    help="Whose conversations it opens: keys of one owner share them. Its own, if not given; "
    "`local` are those of a server without keys.",
)
@_data_dir
@plainly
def create_key(name: str, scopes: tuple[str, ...], owner: str, data_dir: Path | None) -> None:
    """Make a key for the program NAME and print it, this once."""
    kept = Keys(read_settings(data_dir=data_dir).keys_file)
    key, text = kept.create(name, scopes or tuple(SCOPES), owner=owner)
    click.echo(f"{key.id} for {name!r}, good for: {', '.join(key.scopes)}", err=True)
    click.echo("Keep it; it is not stored here and cannot be shown again:", err=True)
    click.echo(text)


@keys.command("list")
@_data_dir
@plainly
def list_keys(data_dir: Path | None) -> None:
    """Every key there was: its id, name and scopes, when it was made and revoked."""
    for key in Keys(read_settings(data_dir=data_dir).keys_file).all():
        state = f"revoked {key.revoked}" if key.revoked else "good"
        scopes = ",".join(key.scopes)
        click.echo(f"{key.id:<17} {key.created:<26} {state:<34} {scopes:<36} {key.name}")


@keys.command("revoke")
@click.argument("key_id")
@_data_dir
@plainly
def revoke_key(key_id: str, data_dir: Path | None) -> None:
    """Make the key KEY_ID worthless; a running server ends what it had opened."""
    key = Keys(read_settings(data_dir=data_dir).keys_file).revoke(key_id)
    click.echo(f"{key.id} ({key.name}) was revoked {key.revoked}")


@main.command()
@click.argument("question", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the answer here.")
@click.option(
    "--url", help="The server, as http://host:port or ws://...; this machine's if not given."
)
@click.option(
    "--key-file",
    type=click.File(),
    help="File with the API key (- is standard input), for a server that wants one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plainly
def ask(
    question: Path, output: Path | None, url: str | None, key_file: TextIO | None, as_json: bool
) -> None:
    """Speak a sound file to a running server in real time and print its answer and the times.

    Without --key-file, the API key is the variable VIVAVOCE_KEY. It is no option itself: other
    users of a machine can read the command lines of its programs.
    """
    pcm = read_sound(question)
    address = address_of(url or f"ws://127.0.0.1:{read_settings().port}")
    answer = asyncio.run(ask_server(address, pcm, key=read_key(key_file)))
    if output is not None:
        write_sound(output, answer.pcm)
    seconds = len(answer.pcm) / SPOKEN_RATE
    if as_json:
        shown = {
            "transcript": answer.transcript,
            "text": answer.text,
            "seconds": seconds,
            "times": answer.times,
            "stages": answer.stages,
        }
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    click.echo(f"You said:  {answer.transcript}")
    click.echo(f"Answer:    {answer.text}")
    click.echo(f"Audio:     {seconds:.2f} s" + (f", written to {output}" if output else ""))
    click.echo("Times after the last voiced sample:")
    for name, at in sorted(answer.times.items(), key=lambda item: item[1]):
        click.echo(f"  {name:<15} {at * 1000:7.0f} ms")
    click.echo("Stages, as the server measured them:")
    for name, took in answer.stages.items():
        click.echo(f"  {name:<15} {took:7.0f} ms")


def read_key(file: TextIO | None) -> str:
    """The API key in `file`, or else in VIVAVOCE_KEY; empty if there is none in either.

    Raises `ConfigError` if what is there cannot be a key.
    """
    try:
        key = (file.read() if file else os.environ.get("VIVAVOCE_KEY", "")).strip()
    except (OSError, UnicodeDecodeError):
        key = "\0"
    if (file and not key) or not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(f"{'the key file' if file else 'VIVAVOCE_KEY'} holds no API key")
    return key


@main.command()
@click.argument("text")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="WAV file.")
@click.option("--voice", help="One of the 54 voices, such as af_heart or bm_george.")
@click.option("--speed", type=float, help="Rate of speech, 1 is natural.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder for weights and data.")
@plainly
def say(
    text: str, output: Path, voice: str | None, speed: float | None, data_dir: Path | None
) -> None:
    """Speak TEXT into a sound file."""
    settings = read_settings(data_dir=data_dir)
    fetching.fetch(settings.weights, ("starter",))
    options = EngineOptions(settings.weights, settings.device, settings.tts.threads)
    tts = load_engine("tts", settings.tts.engine, options)
    pcm = asyncio.run(
        speak_text(tts, text, voice=voice or settings.tts.voice, speed=speed or settings.tts.speed)
    )
    write_sound(output, pcm)
    click.echo(f"{len(pcm) / SPOKEN_RATE:.2f} s written to {output}")


@main.command()
@click.option("--help-all", is_flag=True, help="Say what each setting means.")
@plainly
def config(help_all: bool) -> None:
    """Every setting, its value and where it came from. Secrets are masked."""
    settings = read_settings()
    meanings = {dotted: meaning for dotted, meaning, _ in walk(type(settings), settings)}
    names = {dotted: name for name, dotted in env_names().items()}
    for dotted, value, origin in origins(settings, {}):
        click.echo(f"{names[dotted]:<40} {_shown(value):<28} {origin}")
        if help_all:
            click.echo(f"    {meanings[dotted]}")


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else "(not set)"
    if value in (None, "", ()):
        return "(not set)"
    return json.dumps(list(value)) if isinstance(value, tuple) else str(value)


def write_sound(path: Path, pcm: Pcm) -> None:
    """Write 24 kHz audio; raises `VoiceError` with code `cannot_write`."""
    try:
        soundfile.write(path, pcm, SPOKEN_RATE, subtype="PCM_16")
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
        raise VoiceError(f"{path} cannot be written: {error}", code="cannot_write") from None


main.add_command(back_up)
main.add_command(restore)

if __name__ == "__main__":
    main()
