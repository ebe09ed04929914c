"""What the commands of `dead-letters` do."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Set
from typing import Any, TypeVar

import typer
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity
from pydantic import TypeAdapter

from contracts.topology import Queue
from kit.cli.dead_letter_view import body_text, describe, to_paragraph
from kit.cli.lazy import load
from kit.cli.text import printable
from kit.messaging.dead_letters import MAX_READ, DeadLetter, DeadLetters, open_dead_letters
from kit.messaging.settings import load_amqp_url
from kit.observability.logging import configure_logging

T = TypeVar("T")


def list_dead_letters(service: str, queue: Queue, events_target: str, *, limit: int, as_json: bool) -> None:
    """Print dead letters, oldest first."""
    events: TypeAdapter[Any] = load(events_target)

    async def work(dead_letters: DeadLetters) -> tuple[list[dict[str, Any]], int]:
        return [describe(each, events) async for each in dead_letters.read(limit)], dead_letters.count

    found, count = _run(service, queue, work)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif not found:
        typer.echo("There are no dead letters.")
    else:
        typer.echo("\n\n".join(map(to_paragraph, found)))
        if count > len(found):
            typer.echo(f"\n{len(found)} of {count} dead letters are shown.")


def show(service: str, queue: Queue, events_target: str, dead_letter_id: str, *, as_json: bool) -> None:
    """Print a dead letter with its body."""
    events: TypeAdapter[Any] = load(events_target)

    async def work(dead_letters: DeadLetters) -> DeadLetter | None:
        async for each in dead_letters.read():
            if each.id == dead_letter_id:
                return each
        return None

    found = _run(service, queue, work)
    if found is None:
        typer.echo(
            f"Error: there is no dead letter {printable(dead_letter_id)} among the oldest {MAX_READ:,}.", err=True
        )
        raise typer.Exit(1)
    view = describe(found, events)
    if as_json:
        typer.echo(json.dumps({**view, "body": body_text(found.body)}, ensure_ascii=False, indent=2))
    else:
        typer.echo(f"{to_paragraph(view)}\n\n{printable(body_text(found.body))}")


def put_back(service: str, queue: Queue, wanted: Set[str], *, everything: bool, as_json: bool) -> None:
    """Put dead letters back into the queue."""

    async def work(dead_letters: DeadLetters) -> tuple[list[str], int]:
        moved: list[str] = []
        # Those that become dead letters again meanwhile are not put back twice.
        async for each in dead_letters.read(dead_letters.count if everything else MAX_READ):
            if everything or each.id in wanted:
                await dead_letters.put_back(each)
                moved.append(each.id)
        return moved, dead_letters.count - len(moved)

    moved, left = _run(service, queue, work)
    if as_json:
        typer.echo(json.dumps({"dead_letters": len(moved)}))
    else:
        typer.echo(f"{len(moved)} dead letters are in {queue.name} again. The worker consumes them.", err=True)
        if left:
            typer.echo(f"{left} dead letters are left.", err=True)
    if missing := sorted(wanted - set(moved)):
        typer.echo(f"Error: not found: {printable(', '.join(missing))}", err=True)
        raise typer.Exit(1)


def _run(service: str, queue: Queue, work: Callable[[DeadLetters], Awaitable[T]]) -> T:
    """Run work with the dead letters of a queue. After an error of the broker, print one sentence and exit with code 1."""
    configure_logging("WARNING", "console", service)
    amqp_url = load_amqp_url()

    async def run_with_broker() -> T:
        async with open_dead_letters(amqp_url, queue) as dead_letters:
            return await work(dead_letters)

    try:
        return asyncio.run(run_with_broker())
    except ChannelNotFoundEntity:
        message = f"the queue {queue.dead_letters} does not exist: the worker of {service} declares it when it starts"
    except (AMQPError, OSError, TimeoutError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        message = f"the broker cannot be used: {type(error).__name__}: {reason}"
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(1)
