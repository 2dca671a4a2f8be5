"""Settings: sources, precedence, and one clear line for a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from voice.cli import main
from voice.errors import ConfigError
from voice.settings import env_names, origins, read_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("VIVAVOCE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_serve_on_loopback() -> None:
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.weights == Path("data/models")


def test_command_line_beats_environment_beats_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vivavoce.toml").write_text('port = 1\n[llm]\nmodel = "file"\nbase_url = ""\n')
    monkeypatch.setenv("VIVAVOCE_LLM_MODEL", "environment")
    monkeypatch.setenv("VIVAVOCE_PORT", "2")
    settings = read_settings(port=3)
    assert (settings.port, settings.llm.model) == (3, "environment")
    found = {name: origin for name, _, origin in origins(settings, {"port": 3})}
    assert found["port"] == "command line"
    assert found["llm.model"] == "VIVAVOCE_LLM_MODEL"
    assert found["llm.base_url"] == "vivavoce.toml"
    assert found["tts.voice"] == "default"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VIVAVOCE_PORT", "eighty"),
        ("VIVAVOCE_PORT", "70000"),
        ("VIVAVOCE_TTS_SPEED", "9"),
        ("VIVAVOCE_TTS_SPEED", "nan"),
        ("VIVAVOCE_LLM_BASE_URL", "ftp://example.com"),
        ("VIVAVOCE_LLM_FIRST_TOKEN_TIMEOUT", "inf"),
        ("VIVAVOCE_TURN_SPECULATION", "maybe"),
        ("VIVAVOCE_DEVICE", "tpu"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as error:
        read_settings()
    assert name in error.value.message
    assert "\n" not in error.value.message


def test_an_unknown_setting_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIVAVOCE_LLM_MODLE", "x")
    with pytest.raises(ConfigError, match="VIVAVOCE_LLM_MODLE"):
        read_settings()
    monkeypatch.delenv("VIVAVOCE_LLM_MODLE")
    (tmp_path / "vivavoce.toml").write_text("colour = 3\n")
    with pytest.raises(ConfigError, match="colour"):
        read_settings()


def test_a_broken_or_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vivavoce.toml").write_text("port = = 3\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_settings()
    monkeypatch.setenv("VIVAVOCE_CONFIG", "elsewhere.toml")
    with pytest.raises(ConfigError, match=r"elsewhere\.toml"):
        read_settings()


def test_config_shows_origins_and_masks_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVAVOCE_LLM_API_KEY", "sk-very-secret")
    result = CliRunner().invoke(main, ["config"])
    assert result.exit_code == 0
    assert "sk-very-secret" not in result.output
    assert "********" in result.output
    for name in env_names():
        assert name in result.output


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.com"])
def test_the_server_refuses_to_be_open_to_others(host: str) -> None:
    from voice.app import serve

    with pytest.raises(ConfigError, match="loopback only"):
        serve(read_settings(host=host), print)


def test_a_taken_port_is_one_clear_line() -> None:
    import socket

    from voice.app import serve

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            serve(read_settings(port=port), print)


def test_no_telemetry_leaves_the_machine() -> None:
    """ONNX Runtime reports to its maker unless this is set before it is loaded."""
    import subprocess
    import sys

    code = (
        "import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None); import voice.engines; "
        "import onnxruntime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "1"


def test_lists_and_tables_come_from_the_environment_and_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vivavoce.toml").write_text('[tts.voices]\nfr = "mine"\n')
    monkeypatch.setenv("VIVAVOCE_STT_LANGUAGES", '["fr", "en"]')
    settings = read_settings()
    assert settings.stt.languages == ("fr", "en")
    assert settings.tts.voices["fr"] == "mine"
    found = {name: origin for name, _, origin in origins(settings, {})}
    assert found["stt.languages"] == "VIVAVOCE_STT_LANGUAGES"
    assert found["tts.voices"] == "vivavoce.toml"
    monkeypatch.setenv("VIVAVOCE_TTS_VOICES", '{"fr": "other"}')
    assert read_settings().tts.voices["fr"] == "other"
    monkeypatch.setenv("VIVAVOCE_STT_LANGUAGES", '["french"]')
    with pytest.raises(ConfigError, match="VIVAVOCE_STT_LANGUAGES"):
        read_settings()
