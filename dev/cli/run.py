"""`make run`: start the whole shop on this machine and run it until Ctrl-C."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from dev import RUN_FOLDER
from dev.process.console import Console
from dev.process.launcher import die_with_parent
from dev.process.program import NotStarted
from dev.stack.stack import Stack


def main() -> int:
    """Run the stack and return the exit code."""
    if "MAKELEVEL" in os.environ:
        die_with_parent(signal.SIGTERM)  # `kill -9` of make must not leave the stack running
    console: Console | None = None
    try:
        with exclusive(RUN_FOLDER):
            console = Console(sys.stdout, sys.stdout, RUN_FOLDER / "logs")
            return asyncio.run(run(console))
    except NotStarted as error:
        if console:
            console.close()
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        if console:
            console.close()


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder. Raises NotStarted when a stack is already running in it."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise NotStarted(
                f"`make run` is already running here (PID {lock.read().strip() or '?'}). "
                f"Stop it with Ctrl-C in its terminal; its addresses are in {folder / 'stack.env'}"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


async def run(console: Console) -> int:
    """Start the stack, wait for SIGINT, SIGTERM or SIGHUP, and stop it. A second signal kills all processes."""
    stack = Stack(RUN_FOLDER, ports="usual", console=console)
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            console.print_status("killing the remaining processes")
            stack.kill()
            return
        console.print_status(f"{number.name} received: stopping all processes (repeat it to kill them)")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal, number)

    starting = asyncio.create_task(stack.up())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
    else:
        starting.result()
        print_summary(stack, console)
        await stopping
        await stack.down()
    for process in psutil.Process().children(recursive=True):
        console.print_status(f"killed a process that did not stop: {process}")
        process.kill()
    console.print_status("all processes stopped")
    return 0


def print_summary(stack: Stack, console: Console) -> None:
    """Print the addresses, and then `ready`, the line that scripts wait for."""
    env = stack.env
    lines = {
        "auth": f"{env['AUTH_URL']}/docs",
        "catalog": f"{env['CATALOG_URL']}/docs",
        "payments": f"{env['PAYMENTS_URL']}/docs",
        "sandbox": env["SANDBOX_URL"] and f"{env['SANDBOX_URL']}/   (emulates Paystack)",
        "mail": env["MAIL_CATCHER_URL"] and f"{env['MAIL_CATCHER_URL']}/   (shows all mail, delivers none)",
        "administrator": f"{env['ADMIN_EMAIL']}   (ADMIN_PASSWORD in stack.env)",
        "environment": f"{stack.folder / 'stack.env'}",
        "logs": f"{stack.folder / 'logs'}   (make logs)",
        "next": "make demo   (in another terminal: one purchase)",
    }
    console.print_plain("")
    for name, value in lines.items():
        if value:
            console.print_plain(f"  {name:<14} {value}")
    console.print_plain("")
    console.print_plain("ready")
