"""What is shipped: locks, the wheel, the images and the compose file, as far as they can be checked
without a Docker engine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.serving import Server, free_port
from voice.settings import env_names

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements"
LOCKS = ("build", "cpu", "dev", "gpu", "node")
IMAGES = ("Dockerfile", "Dockerfile.gpu")
# Installed into the same folder as onnxruntime-gpu.
NOT_ON_GPU = {"onnxruntime"}
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def asked(name: str) -> list[Requirement]:
    """What requirements/NAME.in asks for, files it includes (-r) too."""
    wanted: list[Requirement] = []
    for line in (REQUIREMENTS / f"{name}.in").read_text().splitlines():
        text = line.split("#")[0].strip()
        if text.startswith("-r "):
            wanted += asked(Path(text[3:]).stem)
        elif text and not text.startswith("-"):
            wanted.append(Requirement(text))
    return wanted


def locked(name: str) -> dict[str, list[str]]:
    """Package name -> its logical lines in requirements/NAME.txt, hashes included."""
    text = re.sub(r"^ *#.*\n", "", (REQUIREMENTS / f"{name}.txt").read_text(), flags=re.MULTILINE)
    lines: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            lines.setdefault(canonicalize_name(re.split(r"[=\s]", line)[0]), []).append(line)
    return lines


def pins(lines: list[str]) -> set[str]:
    return {match[1] for line in lines if (match := re.match(r"\S+==(\S+)", line))}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_pinned_and_hashed(lock: str) -> None:
    lines = [line for group in locked(lock).values() for line in group]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9._-]+==\S+ ", line), line
        assert HASH.search(line), line


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_its_list_asks_for(lock: str) -> None:
    have = locked(lock)
    for requirement in asked(lock):
        name = canonicalize_name(requirement.name)
        if lock == "gpu" and name in NOT_ON_GPU:
            assert name not in have
            continue
        assert name in have, f"{name}: run make lock"
        assert all(requirement.specifier.contains(pin) for pin in pins(have[name])), name


@pytest.mark.parametrize("lock", ["dev", "gpu"])
def test_locks_agree_with_the_cpu_lock(lock: str) -> None:
    cpu, other = locked("cpu"), locked(lock)
    for name in cpu.keys() & other.keys():
        assert pins(other[name]) <= pins(cpu[name]), name


def test_no_lock_names_where_packages_come_from() -> None:
    paths = [*REQUIREMENTS.iterdir(), ROOT / "package-lock.json", *map(ROOT.joinpath, IMAGES)]
    for path in paths:
        assert not re.search(r"index-url|find-links|://|\"resolved\"", path.read_text()), path


def test_the_gpu_lock_stays_on_one_cuda() -> None:
    have = locked("gpu")
    assert {"nvidia-cublas-cu12", "nvidia-cudnn-cu12"} <= have.keys()
    assert not [name for name in have if name.endswith("-cu13") or name == "nvidia-cublas"]
    assert not NOT_ON_GPU & have.keys()


def test_the_gpu_extra_is_the_gpu_list() -> None:
    shared = {requirement.name for requirement in asked("cpu")}
    own = {str(requirement) for requirement in asked("gpu") if requirement.name not in shared}
    extra = {str(Requirement(text)) for text in PROJECT["optional-dependencies"]["gpu"]}
    assert extra == own
    assert {"torch", "kokoro", "silero-vad", "onnxruntime-gpu"} <= {
        Requirement(text).name for text in extra
    }


def test_the_changelog_knows_this_version() -> None:
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == PROJECT["version"]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What .dockerignore lets into a build, which is all that an image is made of."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    folder = tmp_path_factory.mktemp("context")
    for name in [line[1:] for line in lines if line.startswith("!")]:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


def test_the_wheel_holds_the_page_and_the_manifest_and_no_tests(
    context: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=context, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert PROJECT["version"] in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    page = {path for path in (ROOT / "web").rglob("*") if path.is_file()}
    page = {path for path in page if "__pycache__" not in path.parts}
    assert {path.relative_to(ROOT).as_posix() for path in page} <= names
    assert {"models/manifest.toml", "voice/cli.py", "web/index.html"} <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"voice", "chat", "models", "web", f"vivavoce-{PROJECT['version']}.dist-info"}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def instructions(image: str) -> list[list[tuple[str, str]]]:
    """The stages of a Dockerfile, each a list of (instruction, arguments)."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / image).read_text(), flags=re.MULTILINE)
    stages: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            if word == "FROM":
                stages.append([])
            stages[-1].append((word, rest.strip()))
    return stages


@pytest.mark.parametrize("image", IMAGES)
def test_the_linter_has_nothing_to_say(image: str) -> None:
    linter = Path(sys.executable).parent / "hadolint"
    run = subprocess.run(
        [linter, "--no-color", image], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_built_in_stages_and_runs_as_nobody(image: str, context: Path) -> None:
    stages = instructions(image)
    assert len(stages) > 1
    last = dict(stages[-1])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert "/opt/vivavoce/ready.py" in last["HEALTHCHECK"]
    assert last["ENTRYPOINT"] == '["vivavoce"]'
    assert "EXPOSE" not in last
    environment = " ".join(rest for word, rest in stages[-1] if word == "ENV")
    assert "ORT_DISABLE_TELEMETRY=1" in environment
    for word, rest in (step for stage in stages for step in stage):
        if word == "COPY" and not rest.startswith("--from"):
            source = rest.split()[0]
            assert (context / source).exists(), f"{source} is not in the build context"
        if word == "RUN" and "pip install" in rest:
            assert "--require-hashes" in rest or rest.endswith("--no-build-isolation .")


def test_the_gpu_image_finds_cuda_in_the_locked_packages() -> None:
    lines = [rest for word, rest in instructions("Dockerfile.gpu")[-1] if word == "ENV"]
    (paths,) = [rest for rest in lines if rest.startswith("LD_LIBRARY_PATH=")]
    for folder in re.findall(r"\$NVIDIA_LIBS/(\w+)/lib", paths):
        assert f"nvidia-{folder.replace('_', '-')}-cu12" in locked("gpu")
    assert "cublas" in paths
    assert "cudnn" in paths


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yml, its anchors merged, checked against the Compose specification."""
    tree: dict[str, Any] = yaml.safe_load((ROOT / "compose.yml").read_text())
    PyCompose.from_yaml(yaml.safe_dump(tree))
    return tree


def test_the_specification_is_checked_at_all() -> None:
    with pytest.raises(ValueError, match="imagee"):
        PyCompose.from_yaml("services: {a: {imagee: x}}")


def test_each_profile_starts_one_service(compose: dict[str, Any]) -> None:
    assert {name: service["profiles"] for name, service in compose["services"].items()} == {
        "cpu": ["cpu"],
        "gpu": ["gpu"],
        "redis": ["redis"],
    }


@pytest.mark.parametrize(("profile", "image"), [("cpu", "Dockerfile"), ("gpu", "Dockerfile.gpu")])
def test_the_assistant_is_confined(compose: dict[str, Any], profile: str, image: str) -> None:
    service = compose["services"][profile]
    build = service["build"]
    assert image == ("Dockerfile" if isinstance(build, str) else build["dockerfile"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    last = dict(instructions(image)[-1])
    assert service["volumes"] == [f"data:{last['VOLUME']}"]
    assert "data" in compose["volumes"]
    # The server refuses other addresses, so nothing may be published.
    assert service["network_mode"] == "host"
    assert service["environment"]["VIVAVOCE_HOST"] == "127.0.0.1"
    assert "ports" not in service
    assert service["environment"].keys() <= env_names().keys()


def test_only_the_gpu_profile_asks_for_a_gpu(compose: dict[str, Any]) -> None:
    services = compose["services"]
    (device,) = services["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert "deploy" not in services["cpu"]


def test_redis_is_not_open_to_others(compose: dict[str, Any]) -> None:
    assert compose["services"]["redis"]["ports"] == ["127.0.0.1:6379:6379"]


@contextmanager
def answering(status: int) -> Iterator[int]:
    """An HTTP server on loopback that answers everything with `status`; yields its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/ready" else 404)
            self.end_headers()

        def log_message(self, *args: object, **kwargs: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def check_health(port: int, folder: Path) -> int:
    """Run the images' health check as they do; its exit status."""
    return subprocess.run(
        [sys.executable, ROOT / "deploy" / "ready.py"],
        cwd=folder,
        env={**os.environ, "VIVAVOCE_PORT": str(port)},
        check=False,
        capture_output=True,
    ).returncode


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (503, 1), (400, 1)])
def test_health_is_what_ready_says(status: int, exit_status: int, tmp_path: Path) -> None:
    with answering(status) as port:
        assert check_health(port, tmp_path) == exit_status


def test_no_server_is_not_healthy(tmp_path: Path) -> None:
    assert check_health(free_port(), tmp_path) == 1


@pytest.mark.models
def test_a_real_server_is_healthy(server: Server, tmp_path: Path) -> None:
    assert check_health(server.port, tmp_path) == 0


def test_all_compiled_libraries_load_in_one_process() -> None:
    """Those made by Cython share types by its version, and refuse each other where these differ."""
    libraries = "xllamacpp, av, uharfbuzz, asyncpg.protocol, uvloop, httptools, sqlalchemy, fugashi"
    done = subprocess.run(
        [sys.executable, "-c", f"import {libraries}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
