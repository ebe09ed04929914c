"""`make chaos`: purchases while every part is killed at random, for SECONDS; then what must be true, with a tick or each difference."""

import asyncio
import contextlib
import os
import secrets
import signal
import tempfile
from pathlib import Path

from rich.console import Console as Terminal
from rich.markup import escape

from dev.chaos.leaks import Logs
from dev.chaos.report import show
from dev.chaos.run import trial
from dev.chaos.scenarios import RESERVATION_SECONDS
from dev.process.console import Console
from dev.process.launcher import die_with_parent
from dev.process.supervisor import NotStarted
from dev.stack.configuration import SERVICES
from dev.stack.stack import Stack

SETTINGS = {
    "AUTH_BCRYPT_ROUNDS": "10",
    "CATALOG_RESERVATION_SECONDS": str(RESERVATION_SECONDS),
    "PAYMENTS_VERIFY_AFTER_SECONDS": "3",
    "LOG_LEVEL": "INFO",
}
GIVEN = (
    *(f"{service.upper()}_DATABASE_URL" for service in SERVICES),
    "AMQP_URL",
    "PAYSTACK_URL",
    "PAYSTACK_SECRET_KEY",
)
"""Servers that a stack would take if they are given. Nothing is killed, and nothing bought, where it might matter to somebody."""
SHORTEST, LONGEST = 5, 24 * 3600
terminal = Terminal(highlight=False, soft_wrap=True)


class NotANumber(Exception):
    """What SECONDS or SEED says cannot be used."""


def main() -> int:
    """Answers 0 only if everything held, and something was bought and something hit."""
    if "MAKELEVEL" in os.environ:
        die_with_parent(signal.SIGTERM)
    for name in GIVEN:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    handle, name = tempfile.mkstemp(prefix="shop-chaos-", suffix=".log")
    passed, interrupted = False, False
    try:
        seconds = number("SECONDS", 120, SHORTEST, LONGEST)
        seed = number("SEED", secrets.randbelow(2**32), 0, 2**63)
        with os.fdopen(handle, "w") as log:
            passed = asyncio.run(chaos(seconds, seed, Path(name), Console(log, log)))
    except (NotANumber, NotStarted) as error:
        terminal.print(f"[bold red]no chaos[/]  {escape(str(error))}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        interrupted = True
        terminal.print("interrupted: all stopped")
    finally:
        if passed or interrupted or not os.path.getsize(name):
            os.unlink(name)
        else:
            terminal.print(f"what the parts printed: {name}")
    return 0 if passed else 1


def number(name: str, default: int, least: int, most: int) -> int:
    """From the environment; make hands its variables on there."""
    said = os.environ.get(name) or str(default)
    if not said.isdecimal() or not least <= int(said) <= most:
        raise NotANumber(f"{name}={said}: a whole number from {least} to {most}")
    return int(said)


async def chaos(seconds: int, seed: int, log: Path, console: Console) -> bool:
    """On a stack of its own, in a temporary folder, on free ports. Whether all passed."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    terminal.print(f"chaos for {seconds} s, seed [bold]{seed}[/]; starting a shop of its own on free ports")
    with contextlib.closing(console):
        async with Stack(extra_env=SETTINGS, console=console) as stack:
            logs = Logs(log, stack.folder / "rabbitmq" / "log", stack.folder / "postgres" / "postgres.log")
            outcome = await trial(stack, seconds, seed, logs=logs, console=console, say=say)
            show(terminal, outcome.differences, outcome.numbers, outcome.faults)
    if outcome.passed:
        terminal.print("\n[bold green]everything held[/]")
    else:
        why = "" if outcome.bought and outcome.faults else ": nothing was bought, or nothing was hit"
        terminal.print(f"\n[bold red]not everything held[/]{why}  (again: SECONDS={seconds} SEED={seed} make chaos)")
    return outcome.passed


def say(line: str) -> None:
    terminal.print(f"  {escape(line)}")
