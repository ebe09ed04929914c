"""`make fuzz`: send requests that are generated from the OpenAPI documents to each service, as each role. Exit code 0: no failures."""

import asyncio
import os
import sys
from itertools import product

import httpx
from rich.console import Console as Terminal
from rich.markup import escape

from dev.fuzz.roles import ROLES, access_token
from dev.fuzz.run import Result, run
from dev.process.console import Console
from dev.process.program import NotStarted
from dev.stack.environment import ignore_external_servers
from dev.stack.names import SERVICES
from dev.stack.stack import Stack

SETTINGS = {
    "AUTH_ACCESS_TOKEN_SECONDS": "3600",
    "LOG_LEVEL": "WARNING",
    "RATE_LIMIT_PER_ACCOUNT": "1000000",
    "RATE_LIMIT_PER_ACCOUNT_TOTAL": "1000000",
}
"""Each run gets new tokens, which must live as long as the run. All requests of a run come from one account."""
DEFAULT_EXAMPLES = 100
terminal = Terminal(highlight=False, soft_wrap=True)


def main() -> int:
    """Fuzz a temporary stack. EXAMPLES: test cases for each operation and phase. SEED: repeats a run."""
    examples = os.environ.get("EXAMPLES") or str(DEFAULT_EXAMPLES)
    seed = os.environ.get("SEED", "")
    if not examples.isdecimal() or not (seed or "0").isdecimal():
        terminal.print("[bold red]not started[/]  EXAMPLES and SEED are whole numbers")
        return 1
    ignore_external_servers()
    options = ["--max-examples", examples, *(["--seed", seed] if seed else [])]
    try:
        return asyncio.run(fuzz(options))
    except NotStarted as error:
        terminal.print(f"[bold red]not started[/]  {escape(str(error))}")
    except KeyboardInterrupt:
        terminal.print("interrupted: all processes stopped")
    return 1


async def fuzz(options: list[str]) -> int:
    """Run each service as each role, and print the outcome of each run and the output of the failed ones."""
    console = Console(status=sys.stdout)
    failed: list[Result] = []
    try:
        async with Stack(extra_env=SETTINGS, console=console) as stack, httpx.AsyncClient(timeout=30) as client:
            console.flush()
            for role, service in product(ROLES, SERVICES):
                token = await access_token(stack.env, client, role)
                result = await run(service, stack.env[f"{service.upper()}_URL"], role, token, *options)
                print_result(result)
                if not result.passed:
                    failed.append(result)
    finally:
        console.close()
    terminal.print(f"\n[bold red]{len(failed)} runs failed[/]" if failed else "\n[bold green]passed[/]: no failures")
    return 1 if failed else 0


def print_result(result: Result) -> None:
    """Print one line, or the whole output of a run that failed."""
    if result.passed:
        terminal.print(f"[green]passed[/]  {result.service} as {result.role}: {result.summary}")
    else:
        terminal.print(f"[bold red]failed[/]  {result.service} as {result.role}\n{escape(result.output)}")
