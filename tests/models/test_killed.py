"""Fetches that are killed, that compete, and that run out of disk: in processes of their own."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models import store
from models.fetch import fetch
from models.manifest import Manifest, load_manifest
from models.progress import Silent
from tests.models import local_registry as local
from tests.models.local_registry import Registry

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

FETCH = """
import sys
from pathlib import Path
from models.errors import ModelError
from models.fetch import fetch
from models.manifest import load_manifest
weights, manifest = map(Path, sys.argv[1:])
try:
    report = fetch(weights, None, manifest=load_manifest(manifest))
except ModelError as error:
    print(error.code)
else:
    print("fetched", len(report.fetched))
"""

# Every step that changes the weights folder raises an audit event before it happens, except for
# writing into an open file, which the profiler sees. One child per step is forked and killed there;
# what it leaves behind must be whole files only, and a clean fetch after it must complete.
STEPS = """
import json, os, signal, sys
from pathlib import Path
import httpx2
from models import obtain, store
from models.fetch import fetch
from models.manifest import load_manifest
from models.progress import Silent

obtain._BLOCK = 50_000  # the larger members take several writes
client = httpx2.Client  # without reading the system's certificates a hundred times
httpx2.Client = lambda **options: client(verify=False, **options)
root, manifest = Path(sys.argv[1]), load_manifest(Path(sys.argv[2]))
CHANGES = {"os.rename", "os.remove", "os.mkdir"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
killed, broken = [], []
for number in range(1, 1000):
    weights = root / str(number)
    child = os.fork()
    if child == 0:
        left = number
        def step():
            global left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        def audit(event, arguments):
            changes = event in CHANGES or (event == "open" and arguments[2] & WRITES)
            if changes and str(arguments[0]).startswith(str(weights)):
                step()
        def profile(frame, event, called):
            joining = frame.f_code.co_filename == obtain.__file__
            if event == "c_call" and joining and called.__name__ == "write":
                step()
        sys.addaudithook(audit)
        sys.setprofile(profile)
        fetch(weights, None, manifest=manifest, progress=Silent())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    for problem in store.verify(weights, None, manifest=manifest):
        if problem.reason != "missing":
            broken.append([number, problem.path])
    fetch(weights, None, manifest=manifest, progress=Silent())
    broken += [[number, p.path] for p in store.verify(weights, None, manifest=manifest)]
    broken += [[number, p.name] for p in (weights / ".fetch").iterdir() if p.suffix]
    broken += [[number, p.name] for p in weights.glob(".verified.json.*")]
    if status == 0:
        break
    killed.append(os.WTERMSIG(status))
print(json.dumps({"killed": killed, "broken": broken}))
"""

LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
"""


@pytest.fixture
def manifest(manifest: Manifest, tmp_path: Path) -> Path:
    """Its file, for a process of its own."""
    return tmp_path / "manifest.toml"


def start(code: str, weights: Path, manifest: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(weights), str(manifest)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def whole_files_only(weights: Path) -> None:
    for path, data in local.contents(weights).items():
        assert data == local.FILES[path], f"{path} is not whole"


def checked(manifest: Path) -> Manifest:
    return load_manifest(manifest)


def test_killed_at_twenty_random_points_then_complete(
    registry: Registry, manifest: Path, tmp_path: Path
) -> None:
    choose = random.Random(20)
    weights = tmp_path / "weights"
    size = sum(map(len, registry.files.values()))
    killed = completed = 0
    while killed < 20:
        # The server stops there and waits, so that the kill hits the middle.
        registry.hold_at = registry.sent + choose.randrange(1, size // 3)
        with start(FETCH, weights, manifest) as child:
            while registry.sent < registry.hold_at and child.poll() is None:
                time.sleep(0.001)
            child.send_signal(signal.SIGKILL)
            out, err = child.communicate()
        registry.hold_at = None
        whole_files_only(weights)
        if child.returncode == -signal.SIGKILL:
            killed += 1
        else:  # the rest was less than that: go on in a new folder
            assert out.startswith("fetched"), out + err
            assert local.contents(weights) == local.FILES
            completed += 1
            weights = tmp_path / f"weights-{completed}"
    fetch(weights, None, manifest=checked(manifest), progress=Silent())
    assert local.contents(weights) == local.FILES
    assert store.verify(weights, None, manifest=checked(manifest)) == []
    assert {path.name for path in (weights / store.WORK).iterdir()} <= {"lock"}


@pytest.mark.long
def test_killed_before_every_single_step_on_disk(manifest: Path, tmp_path: Path) -> None:
    root = tmp_path / "roots"
    root.mkdir()
    with start(STEPS, root, manifest) as child:
        out, err = child.communicate(timeout=110)
    assert child.returncode == 0, err
    result = json.loads(out)
    assert result["broken"] == []
    assert set(result["killed"]) == {signal.SIGKILL}
    assert len(result["killed"]) > 40


def test_two_processes_at_once_share_the_work(
    registry: Registry, manifest: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    registry.hold_at = 1
    with start(FETCH, weights, manifest) as first:
        while not registry.sent and first.poll() is None:
            time.sleep(0.005)
        with start(FETCH, weights, manifest) as second:
            assert second.stderr is not None
            assert "Another process is fetching" in second.stderr.readline()
            registry.hold_at = None
            first_out, first_err = first.communicate(timeout=60)
            second_out, second_err = second.communicate(timeout=60)
    assert (first_out, second_out) == ("fetched 7\n", "fetched 0\n"), first_err + second_err
    assert local.contents(weights) == local.FILES
    downloads = [path for path, _ in registry.requests if path in registry.files]
    assert len(downloads) == len(set(downloads))


def test_a_write_that_the_system_refuses_for_size_is_a_full_disk(
    registry: Registry, manifest: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    with start(LIMITED + FETCH, weights, manifest) as child:
        out, err = child.communicate(timeout=60)
    assert out == "disk_full\n", err
    whole_files_only(weights)
    assert not [path for path in (weights / store.WORK).iterdir() if path.suffix]
    # With room again, the same folder completes.
    fetch(weights, None, manifest=checked(manifest), progress=Silent())
    assert local.contents(weights) == local.FILES


def test_the_lock_of_a_dead_process_does_not_stay(manifest: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    hold = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom filelock import FileLock\n"
        "work = Path(sys.argv[1]) / '.fetch'\nwork.mkdir(parents=True)\n"
        "FileLock(work / 'lock').acquire()\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with start(hold, weights, manifest) as child:
        child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    assert (weights / store.WORK / "lock").exists()
    assert len(fetch(weights, None, manifest=checked(manifest), progress=Silent()).fetched) == 7
