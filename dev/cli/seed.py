"""`make seed SIZE=1000000`: fill the catalog of the running stack with products, categories, tags, variants, stock and orders."""

import asyncio
import os
import sys
import time

from dev.process.program import NotStarted
from dev.seed.run import seed, total_rows
from dev.stack.running import require_running_stack

DEFAULT_SIZE = 100_000
MAX_SIZE = 10_000_000
BAR = 40


class ProgressBar:
    """Prints a bar on a terminal, and a line for every tenth in a file or pipe."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._started = time.monotonic()

    def advance(self, rows: int) -> None:
        """Add to the rows that are done, and print the bar if it grew."""
        before = self._done * 10 // self._total
        self._done += rows
        share = self._done / self._total
        seconds = time.monotonic() - self._started
        text = f"[{'#' * int(share * BAR):<{BAR}}] {share:4.0%} {self._done:,} of {self._total:,} rows, {seconds:.0f} s"
        if sys.stdout.isatty():
            print(f"\r{text}", end="" if self._done < self._total else "\n", flush=True)
        elif self._done * 10 // self._total > before:
            print(text, flush=True)


def main() -> int:
    """Run the seed and return the exit code."""
    try:
        size = size_argument()
        env = require_running_stack()
        asyncio.run(_run(env["CATALOG_DATABASE_URL"], env.get("CATALOG_MIGRATION_DATABASE_URL"), size))
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def size_argument() -> int:
    """Return SIZE. Raises NotStarted if it is not a number of products."""
    given = os.environ.get("SIZE", "") or str(DEFAULT_SIZE)
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given) <= MAX_SIZE:
        raise NotStarted(f"SIZE={given}: give a number of products from 1 to {MAX_SIZE}: make seed SIZE={DEFAULT_SIZE}")
    return int(given)


async def _run(url: str, owner_url: str | None, size: int) -> None:
    await seed(url, owner_url, size, ProgressBar(total_rows(size)).advance)
    print(f"seeded: {size:,} products. The same command with a greater SIZE adds more")
