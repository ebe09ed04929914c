"""`make chaos`: buyers order and pay while processes are killed at random. Prints each invariant with its violations."""

import asyncio
import contextlib
import os
import secrets
import signal
import tempfile
from pathlib import Path

from rich.console import Console as Terminal
from rich.markup import escape

from dev.chaos.leaks import LogScanner
from dev.chaos.report import print_report
from dev.chaos.run import run
from dev.chaos.scenarios import EXTENDED_RESERVATION_SECONDS, RESERVATION_SECONDS
from dev.process.console import Console
from dev.process.launcher import die_with_parent
from dev.process.program import NotStarted
from dev.stack.environment import ignore_external_servers
from dev.stack.stack import Stack

SETTINGS = {
    "AUTH_BCRYPT_ROUNDS": "10",
    "CATALOG_RESERVATION_SECONDS": str(RESERVATION_SECONDS),
    "CATALOG_MAX_RESERVATION_SECONDS": str(EXTENDED_RESERVATION_SECONDS),
    "PAYMENTS_VERIFY_AFTER_SECONDS": "3",
    "LOG_LEVEL": "INFO",
    "RATE_LIMIT_PER_ACCOUNT": "1000000",
    "RATE_LIMIT_PER_ACCOUNT_TOTAL": "1000000",
}
MIN_SECONDS, MAX_SECONDS = 5, 24 * 3600
terminal = Terminal(highlight=False, soft_wrap=True)


class NotANumber(Exception):
    """SECONDS or SEED is not a number in the allowed range."""


def main() -> int:
    """Run chaos. Return 0 only if all invariants hold, at least one order was delivered and at least one process fault was injected."""
    if "MAKELEVEL" in os.environ:
        die_with_parent(signal.SIGTERM)
    ignore_external_servers()
    handle, name = tempfile.mkstemp(prefix="shop-chaos-", suffix=".log")
    passed, interrupted = False, False
    try:
        seconds = number("SECONDS", 120, MIN_SECONDS, MAX_SECONDS)
        seed = number("SEED", secrets.randbelow(2**32), 0, 2**63)
        with os.fdopen(handle, "w") as log:
            passed = asyncio.run(chaos(seconds, seed, Path(name), Console(log, log)))
    except (NotANumber, NotStarted) as error:
        terminal.print(f"[bold red]not started[/]  {escape(str(error))}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        interrupted = True
        terminal.print("interrupted: all processes stopped")
    finally:
        if passed or interrupted or not os.path.getsize(name):
            os.unlink(name)
        else:
            terminal.print(f"the log of all processes is in {name}")
    return 0 if passed else 1


def number(name: str, default: int, minimum: int, maximum: int) -> int:
    """Return a whole number from an environment variable. Raises NotANumber."""
    value = os.environ.get(name) or str(default)
    if not value.isdecimal() or not minimum <= int(value) <= maximum:
        raise NotANumber(f"{name}={value}: use a whole number from {minimum} to {maximum}")
    return int(value)


async def chaos(seconds: int, seed: int, log: Path, console: Console) -> bool:
    """Run chaos on a temporary stack on free ports; return True if the run passed."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    terminal.print(f"chaos for {seconds} s, seed [bold]{seed}[/]; starting a temporary stack on free ports")
    with contextlib.closing(console):
        async with Stack(extra_env=SETTINGS, console=console) as stack:
            logs = LogScanner(log, stack.folder / "rabbitmq" / "log", stack.folder / "postgres" / "postgres.log")
            result = await run(stack, seconds, seed, logs=logs, console=console, progress=print_progress)
            print_report(terminal, result.violations, result.numbers, result.faults)
    if result.passed:
        terminal.print("\n[bold green]passed[/]: all invariants hold")
    else:
        reason = (
            "" if result.deliveries and result.faults else ": no order was delivered, or no process fault was injected"
        )
        terminal.print(f"\n[bold red]failed[/]{reason}  (to repeat: SECONDS={seconds} SEED={seed} make chaos)")
    return result.passed


def print_progress(line: str) -> None:
    """Print a line of the run in progress."""
    terminal.print(f"  {escape(line)}")
