"""The operator's commands `dead-letters list`, `dead-letters show` and `dead-letters put-back`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity
from pydantic import TypeAdapter

from contracts.topology import Queue
from kit.cli.dead_letter_view import body_text, describe, to_paragraph
from kit.cli.text import printable
from kit.messaging.dead_letters import MAX_READ, DeadLetter, DeadLetters, open_dead_letters
from kit.messaging.settings import load_amqp_url
from kit.observability.logging import configure_logging

T = TypeVar("T")
MAX_IDS = 100
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def dead_letters_cli(service: str, queue: Queue, events: TypeAdapter[Any]) -> typer.Typer:
    """Return the commands for the dead letters of a service. `events` parses the events that the service consumes."""
    cli = typer.Typer(
        help=f"List, show and put back the dead letters of {service}: messages that it could not read.",
        no_args_is_help=True,
    )

    def run(work: Callable[[DeadLetters], Awaitable[T]]) -> T:
        configure_logging("WARNING", "console", service)
        amqp_url = load_amqp_url()

        async def run_with_broker() -> T:
            async with open_dead_letters(amqp_url, queue) as dead_letters:
                return await work(dead_letters)

        try:
            return asyncio.run(run_with_broker())
        except ChannelNotFoundEntity:
            message = (
                f"the queue {queue.dead_letters} does not exist: the worker of {service} declares it when it starts"
            )
        except (AMQPError, OSError, TimeoutError) as error:
            reason = (str(error).splitlines() or [""])[0][:200]
            message = f"the broker cannot be used: {type(error).__name__}: {reason}"
        typer.echo(f"Error: {message}", err=True)
        raise typer.Exit(1)

    @cli.command(name="list")
    def list_dead_letters(
        limit: Annotated[
            int, typer.Option("--limit", min=1, max=MAX_READ, help="Maximum number of dead letters.")
        ] = 50,
        as_json: AsJson = False,
    ) -> None:
        """List dead letters, oldest first. They stay in their queue."""

        async def work(dead_letters: DeadLetters) -> tuple[list[dict[str, Any]], int]:
            return [describe(each, events) async for each in dead_letters.read(limit)], dead_letters.count

        found, count = run(work)
        if as_json:
            typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        elif not found:
            typer.echo("There are no dead letters.")
        else:
            typer.echo("\n\n".join(map(to_paragraph, found)))
            if count > len(found):
                typer.echo(f"\n{len(found)} of {count} dead letters are shown.")

    @cli.command()
    def show(
        dead_letter_id: Annotated[str, typer.Argument(help="Id of the dead letter, as `list` prints it.")],
        as_json: AsJson = False,
    ) -> None:
        """Show a dead letter with its body. Exit code 1: there is no such dead letter among the oldest 1,000."""

        async def work(dead_letters: DeadLetters) -> DeadLetter | None:
            async for each in dead_letters.read():
                if each.id == dead_letter_id:
                    return each
            return None

        found = run(work)
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

    @cli.command(name="put-back")
    def put_back(
        dead_letter_ids: Annotated[
            list[str] | None, typer.Argument(help="Ids of dead letters, as `list` prints them.")
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help="Put back all dead letters.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Put dead letters back into the queue, for example after a new version can read them. An event has its effect only once.

        What still cannot be read becomes a dead letter again. Exit code 1: an id was not found among the oldest 1,000 dead letters.
        """
        wanted = set(dead_letter_ids or [])
        if bool(wanted) == everything:
            raise typer.BadParameter("give the ids of dead letters, or --all")
        if len(wanted) > MAX_IDS:
            raise typer.BadParameter(f"give at most {MAX_IDS} ids, or --all")

        async def work(dead_letters: DeadLetters) -> tuple[list[str], int]:
            moved: list[str] = []
            # Those that become dead letters again meanwhile are not put back twice.
            async for each in dead_letters.read(dead_letters.count if everything else MAX_READ):
                if everything or each.id in wanted:
                    await dead_letters.put_back(each)
                    moved.append(each.id)
            return moved, dead_letters.count - len(moved)

        moved, left = run(work)
        if as_json:
            typer.echo(json.dumps({"dead_letters": len(moved)}))
        else:
            typer.echo(f"{len(moved)} dead letters are in {queue.name} again. The worker consumes them.", err=True)
            if left:
                typer.echo(f"{left} dead letters are left.", err=True)
        if missing := sorted(wanted - set(moved)):
            typer.echo(f"Error: not found: {printable(', '.join(missing))}", err=True)
            raise typer.Exit(1)

    return cli
