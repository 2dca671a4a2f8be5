"""The pure modules of the chat core, as pyproject's import contracts name them: for `coverage`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

FILE = Path(__file__).parents[1] / "pyproject.toml"
CONTRACTS = (
    "what the chat decides is pure",
    "so are the forms that conversations and files come and go in, and the words that are searched",
)


def files() -> list[str]:
    """Their files, from the root of the repository. Raises `KeyError` if a contract is gone."""
    contracts = tomllib.loads(FILE.read_text())["tool"]["importlinter"]["contracts"]
    named = {
        contract["name"]: contract["source_modules"]
        for contract in contracts
        if "source_modules" in contract
    }
    return [module.replace(".", "/") + ".py" for name in CONTRACTS for module in named[name]]


if __name__ == "__main__":
    sys.stdout.write(",".join(files()))
