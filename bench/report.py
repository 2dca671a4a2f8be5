"""How benchmarks print what they found."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


def machine() -> str:
    """The machine in a few words: processor, cores, Python."""
    return f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def table(rows: Mapping[str, Sequence[float]]) -> str:
    """One line a row: count, minimum, median, 90th percentile, maximum."""
    lines = [f"{'':<18}{'n':>5}{'min':>9}{'median':>9}{'p90':>9}{'max':>9}"]
    for name, values in rows.items():
        low, mid, high, top = np.percentile(values, [0, 50, 90, 100])
        lines.append(f"{name:<18}{len(values):>5}{low:>9.0f}{mid:>9.0f}{high:>9.0f}{top:>9.0f}")
    return "\n".join(lines)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
