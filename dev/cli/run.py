"""`make run`: the whole shop on this machine, until Ctrl-C."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from dev.process.console import Console
from dev.process.launcher import die_with_parent
from dev.process.supervisor import NotStarted
from dev.stack.stack import PROJECT, Stack

FOLDER = PROJECT / ".run"


def main() -> int:
    """Runs the stack; answers with the exit code."""
    if "MAKELEVEL" in os.environ:
        die_with_parent(signal.SIGTERM)  # `kill -9` of make shall not leave a shop behind
    console = Console(sys.stdout, sys.stdout)
    try:
        with only_one(FOLDER):
            return asyncio.run(run(console))
    except NotStarted as error:
        console.close()
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        console.close()


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Raises NotStarted when a stack runs in this folder already."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise NotStarted(
                f"`make run` is running here already (PID {lock.read().strip() or '?'}). "
                f"Stop it there with Ctrl-C; its addresses are in {folder / 'stack.env'}"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


async def run(console: Console) -> int:
    stack = Stack(FOLDER, ports="usual", console=console)
    stop = asyncio.Event()

    def interrupted(number: signal.Signals) -> None:
        if stop.is_set():
            console.say("killing what still runs")
            stack.kill()
            return
        console.say(f"{number.name}: stopping everything (once more: at once)")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted, number)

    up = asyncio.create_task(stack.up())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({up, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not up.done():
        up.cancel()
        await asyncio.wait({up})
    else:
        up.result()
        summarise(stack, console)
        await stopping
        await stack.down()
    leftovers = psutil.Process().children(recursive=True)
    for process in leftovers:
        console.say(f"left over, killed: {process}")
        process.kill()
    console.say("all stopped")
    return 0


def summarise(stack: Stack, console: Console) -> None:
    """What a person wants to know, and then the word that a script waits for."""
    env = stack.env
    lines = {
        "auth": f"{env['AUTH_URL']}/docs",
        "catalog": f"{env['CATALOG_URL']}/docs",
        "payments": f"{env['PAYMENTS_URL']}/docs",
        "sandbox": env["SANDBOX_URL"] and f"{env['SANDBOX_URL']}/   a Paystack on this machine",
        "administrator": f"{env['ADMIN_EMAIL']}   the password is in stack.env",
        "everything": f"{stack.folder / 'stack.env'}",
        "a purchase": "make demo   (in another terminal)",
    }
    console.bare("")
    for name, value in lines.items():
        if value:
            console.bare(f"  {name:<14} {value}")
    console.bare("")
    console.bare("ready")
