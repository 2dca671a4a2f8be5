"""Learn voices of Kokoro and write down what was learnt, for everybody's first start.

    python -m bench.known_voices VOICE ...

Writes `voice/engines/kokoro_norms.<model>.npz`, named by the model's checksum: for each voice the
coefficients of `voice.engines.kokoro_norms`, half floats (at most 0.007 from the exact ones, which
are up to 17). Any other voice is learnt when it is first used (`KokoroTts.warm`).
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import numpy as np

from voice.engines import EngineOptions, load_engine
from voice.engines.kokoro_norms import shipped
from voice.settings import read_settings


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("voices", nargs="+")
    voices: list[str] = parser.parse_args().voices
    tts: Any = load_engine("tts", "kokoro", EngineOptions(read_settings().weights.resolve(), "cpu"))
    for voice in voices:
        asyncio.run(tts.warm(voice))
    path = shipped(tts.model)
    np.savez_compressed(path, **{name: tts.norms(name).astype(np.float16) for name in voices})
    print(f"{path}: {', '.join(voices)}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
