"""A virtual environment for each peer, made from its lock."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def lock_of(peer: str) -> Path:
    """The hash-locked requirements of `peer`."""
    return ROOT / "requirements" / f"bench-{peer}.txt"


def prepare(peer: str) -> Path:
    """The Python of the peer's environment, `data/bench/<peer>/venv`, made or renewed if need be.

    Raises `subprocess.CalledProcessError` if pip cannot install what the lock names.
    """
    folder = ROOT / "data" / "bench" / peer / "venv"
    python = folder / "bin" / "python"
    stamp = folder / ".lock"
    wanted = f"{sys.version_info[:2]} {sha256(lock_of(peer).read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {peer} into {folder.relative_to(ROOT)}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    install: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--require-hashes"]
    # First what builds packages that have no wheel, so that nothing unhashed is fetched for it.
    subprocess.run([*install, "-r", ROOT / "requirements" / "build.txt"], check=True)
    subprocess.run([*install, "--no-build-isolation", "-r", lock_of(peer)], check=True)
    stamp.write_text(wanted)
    return python
