"""Write the table of docs/clients.md from what the last run of tests/clients/ left behind.

python docs/make_clients.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "clients.md"
RESULTS = ROOT / "data" / "clients" / "results.json"
BEGIN, END = "<!-- begin: made by docs/make_clients.py -->\n", "<!-- end -->"


def table(results: dict[str, Any]) -> str:
    """The clients, their versions, and the scenarios that each has passed.

    `results`: name -> `package`, `version`, and `scenarios`, each with its outcome.
    """
    lines = ["| client | version | scenarios passed |", "| --- | --- | --- |"]
    for name, entry in results.items():
        passed = [s for s, outcome in entry["scenarios"].items() if outcome == "passed"]
        count = f"{len(passed)} of {len(entry['scenarios'])}: " + ", ".join(passed)
        lines.append(f"| {name} (`{entry['package']}`) | {entry['version']} | {count} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Put the table between its marks."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    made = table(json.loads(RESULTS.read_text()))
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}")


if __name__ == "__main__":
    main()
