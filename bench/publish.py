"""Write the ratios of bench/latest.json, and the machine, into docs/performance.md: `python -m bench.publish`, after `make bench`."""

import json
import sys
from pathlib import Path
from typing import Any

from bench import LATEST
from dev import PROJECT

PAGE = PROJECT / "docs" / "performance.md"
BEGIN, END = "<!-- written by python -m bench.publish -->", "<!-- end -->"


def main() -> int:
    """Replace the table in the page, and return the exit code. Results of `--quick` are refused: their rounds are too short."""
    if not LATEST.exists():
        print("bench/latest.json is missing: run `make bench`", file=sys.stderr)
        return 1
    document = json.loads(LATEST.read_text())
    if document["quick"]:
        print("bench/latest.json is from a run with --quick: run `make bench`", file=sys.stderr)
        return 1
    write(PAGE, document)
    print(f"{PAGE.relative_to(PROJECT)} has the results of {document['at']}")
    return 0


def write(page: Path, document: dict[str, Any]) -> None:
    """Replace the text between the two markers."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} does not contain {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{table(document)}\n{END}{after}")


def table(document: dict[str, Any]) -> str:
    """Return the machine and the ratios as Markdown."""
    machine = document["machine"]
    lines = [
        f"Measured on {document['at'][:10]}: {machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, load average {machine['load_average_before']} before the run.",
        "",
        "| ratio | median | lowest and highest round | bar |",
        "|---|---|---|---|",
    ]
    for name, ratio in document["ratios"].items():
        rounds, bar = ratio["rounds"], ratio["expected_minimum"]
        span = f"{min(rounds):.2f} to {max(rounds):.2f}" if len(rounds) > 1 else ""
        lines.append(f"| {name} | {ratio['median']:.2f} | {span} | {'' if bar is None else f'≥ {bar:g}'} |")
    lines += ["", "| per second, one process each | median |", "|---|---|"]
    lines += [f"| {name} | {rate['median']:,.0f} |" for name, rate in document["per_second"].items()]
    if document.get("auth_memory"):
        lines += ["", f"auth's memory {document['auth_memory']}."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
