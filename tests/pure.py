"""The pure modules of the chat core, as pyproject's import contracts name them: for `coverage`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

FILE = Path(__file__).parents[1] / "pyproject.toml"
CONTRACTS = ("what the chat decides is pure", "so are the forms that")


def files() -> list[str]:
    """Their files, from the root of the repository."""
    contracts = tomllib.loads(FILE.read_text())["tool"]["importlinter"]["contracts"]
    modules = [
        module
        for contract in contracts
        if contract["name"].startswith(CONTRACTS)
        for module in contract["source_modules"]
    ]
    return [module.replace(".", "/") + ".py" for module in modules]


if __name__ == "__main__":
    sys.stdout.write(",".join(files()))
