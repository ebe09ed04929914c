"""What the commands of `dead-letters` do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from typing import Any, NamedTuple, TypeVar

import asyncpg
import typer
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity
from pydantic import TypeAdapter
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from contracts.topology import Queue
from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.audit.entries import AuditEntry
from kit.cli.dead_letter_view import body_text, describe, to_paragraph
from kit.cli.lazy import load
from kit.cli.text import printable
from kit.messaging.dead_letters import MAX_READ, DeadLetter, DeadLetters, open_dead_letters
from kit.messaging.settings import load_amqp_url
from kit.observability.logging import configure_logging

T = TypeVar("T")
DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
BATCH = 100
"""The number of dead letters in one audit entry."""


def list_dead_letters(package: str, queue: Queue, events_target: str, *, limit: int, as_json: bool) -> None:
    """Print dead letters, oldest first."""
    events: TypeAdapter[Any] = load(events_target)

    async def work(dead_letters: DeadLetters) -> tuple[list[dict[str, Any]], int]:
        return [describe(each, events) async for each in dead_letters.read(limit)], dead_letters.count

    found, count = _run(package, queue, work)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif not found:
        typer.echo("There are no dead letters.")
    else:
        typer.echo("\n\n".join(map(to_paragraph, found)))
        if count > len(found):
            typer.echo(f"\n{len(found)} of {count} dead letters are shown.")


def show(package: str, queue: Queue, events_target: str, dead_letter_id: str, *, as_json: bool) -> None:
    """Print a dead letter with its body."""
    events: TypeAdapter[Any] = load(events_target)

    async def work(dead_letters: DeadLetters) -> DeadLetter | None:
        async for each in dead_letters.read():
            if each.id == dead_letter_id:
                return each
        return None

    found = _run(package, queue, work)
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


def put_back(
    package: str,
    queue: Queue,
    events_target: str,
    wanted: Set[str],
    *,
    everything: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Put dead letters back into the queue, and print their number."""
    result = f"are in {queue.name} again. The worker consumes them."
    act = _Act("dead_letters.put_back", DeadLetters.put_back, reason, result)
    _do(package, queue, events_target, act, None if everything else wanted, as_json=as_json)


def close(package: str, queue: Queue, events_target: str, wanted: Set[str], *, reason: str, as_json: bool) -> None:
    """Delete dead letters, and print their number."""
    act = _Act("dead_letters.closed", DeadLetters.delete, reason, "deleted.")
    _do(package, queue, events_target, act, wanted, as_json=as_json)


class _NotRecorded(Exception):
    """The database cannot be used, so an act is not recorded and not done. The text is the reason."""


class _Act(NamedTuple):
    """What is done to dead letters: its name in the audit log, the function, the operator's reason, and what the command prints."""

    name: str
    function: Callable[[DeadLetters, DeadLetter], Awaitable[None]]
    reason: str | None
    result: str


def _do(package: str, queue: Queue, events_target: str, act: _Act, wanted: Set[str] | None, *, as_json: bool) -> None:
    """Do something to the dead letters with the ids `wanted`; None: to all. Exit with code 1 if an id is not found.

    Each batch is recorded in the audit log before it is done, so that it is recorded even if the broker is lost meanwhile.
    """
    events: TypeAdapter[Any] = load(events_target)
    audit_entries: type[AuditEntry] = load(f"{package}.models:AuditLogEntry")
    sessions: async_sessionmaker[AsyncSession] = load(f"{package}.db:sessions")

    async def work(dead_letters: DeadLetters) -> tuple[list[str], int]:
        done: list[str] = []
        # Those that become dead letters again meanwhile are not put back twice.
        letters = dead_letters.read(dead_letters.count if wanted is None else MAX_READ)
        async for batch in _batches(each async for each in letters if wanted is None or each.id in wanted):
            views = [describe(each, events) for each in batch]
            try:
                async with sessions.begin() as session:
                    await audit.record(
                        session,
                        audit_entries,
                        command_actor(),
                        act.name,
                        queue.name,
                        before={"dead_letters": views},
                        reason=act.reason,
                    )
            except DATABASE_ERRORS as error:
                raise _NotRecorded(_reason(error)) from error
            for each in batch:
                await act.function(dead_letters, each)
                done.append(each.id)
        return done, dead_letters.count - len(done)

    engine: AsyncEngine = load(f"{package}.db:engine")
    done, left = _run(package, queue, work, engine)
    _print_result(len(done), left, act.result, as_json=as_json)
    if missing := sorted((wanted or set()) - set(done)):
        typer.echo(f"Error: not found: {printable(', '.join(missing))}", err=True)
        raise typer.Exit(1)


def _print_result(done: int, left: int, result: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"dead_letters": done}))
    else:
        typer.echo(f"{done} dead letters {result}", err=True)
        if left:
            typer.echo(f"{left} dead letters are left.", err=True)


async def _batches(letters: AsyncIterator[DeadLetter]) -> AsyncIterator[list[DeadLetter]]:
    """Yield dead letters in batches of at most BATCH."""
    batch: list[DeadLetter] = []
    async for each in letters:
        batch.append(each)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _run(
    package: str, queue: Queue, work: Callable[[DeadLetters], Awaitable[T]], engine: AsyncEngine | None = None
) -> T:
    """Run work with the dead letters of a queue. After an error of the broker or the database, print one sentence and exit with code 1.

    `engine`: the engine of the database that the work uses.
    """
    service = package.rpartition(".")[2]
    configure_logging("WARNING", "console", service)
    amqp_url = load_amqp_url()

    async def run_with_broker() -> T:
        try:
            async with open_dead_letters(amqp_url, queue) as dead_letters:
                return await work(dead_letters)
        finally:
            if engine is not None:
                await engine.dispose()

    try:
        return asyncio.run(run_with_broker())
    except ChannelNotFoundEntity:
        message = f"the queue {queue.dead_letters} does not exist: the worker of {service} declares it when it starts"
    except _NotRecorded as error:
        message = f"the database cannot be used: {error}"
    except (AMQPError, OSError, TimeoutError) as error:
        message = f"the broker cannot be used: {_reason(error)}"
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(1)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
