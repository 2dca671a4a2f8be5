"""The starter weights in the shapes that other libraries want them."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_voices(weights: Path, path: Path) -> None:
    """Write all Kokoro voices as the `.npz` that kokoro-onnx reads: name -> float32 (510, 1, 256).

    The numbers are those of the `voices/*.bin` files, unchanged.
    """
    voices = {
        file.stem: np.fromfile(file, np.float32).reshape(510, 1, 256)
        for file in sorted((weights / "kokoro" / "voices").glob("*.bin"))
    }
    with path.open("wb") as out:
        np.savez(out, **voices)  # type: ignore[arg-type]
