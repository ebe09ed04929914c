"""The commands `dead-letters list`, `show`, `put-back` and `close`. dead_letter_actions.py implements them."""

from typing import Annotated

import typer

from contracts.topology import Queue
from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, OptionalReason, Reason

ACTIONS = "kit.cli.dead_letter_actions"
MAX_READ = 1_000
MAX_IDS = 100


def dead_letters_cli(package: str, queue: Queue, events: str, subject: str) -> typer.Typer:
    """Return the commands for the dead letters of a queue.

    `events`: the TypeAdapter of the events that the service consumes, as `module:name`. `subject`: what they are about, in the plural.
    """
    service = package.rpartition(".")[2]
    cli = create_cli(
        f"List, show, put back and close dead letters about {subject}: messages that {service} could not read."
    )

    @cli.command(name="list")
    def list_dead_letters(
        limit: Annotated[
            int, typer.Option("--limit", min=1, max=MAX_READ, help="Maximum number of dead letters.")
        ] = 50,
        as_json: AsJson = False,
    ) -> None:
        """List dead letters, oldest first. They stay in their queue."""
        call(f"{ACTIONS}:list_dead_letters", package, queue, events, limit=limit, as_json=as_json)

    @cli.command()
    def show(
        dead_letter_id: Annotated[str, typer.Argument(help="Id of the dead letter, as `list` prints it.")],
        as_json: AsJson = False,
    ) -> None:
        """Show a dead letter with its body. Exit code 1: there is no such dead letter among the oldest 1,000."""
        call(f"{ACTIONS}:show", package, queue, events, dead_letter_id, as_json=as_json)

    @cli.command(name="put-back")
    def put_back(
        dead_letter_ids: Annotated[
            list[str] | None, typer.Argument(help="Ids of dead letters, as `list` prints them.")
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help="Put back all dead letters.")] = False,
        reason: OptionalReason = None,
        as_json: AsJson = False,
    ) -> None:
        """Put dead letters back into the queue, for example after a new version can read them. An event has its effect only once.

        What still cannot be read becomes a dead letter again. Exit code 1: an id was not found among the oldest 1,000 dead letters.
        """
        wanted = set(dead_letter_ids or [])
        if bool(wanted) == everything:
            raise typer.BadParameter("give the ids of dead letters, or --all")
        _check_number(wanted)
        call(
            f"{ACTIONS}:put_back", package, queue, events, wanted, everything=everything, reason=reason, as_json=as_json
        )

    @cli.command()
    def close(
        dead_letter_ids: Annotated[list[str], typer.Argument(help="Ids of dead letters, as `list` prints them.")],
        reason: Reason,
        as_json: AsJson = False,
    ) -> None:
        """Delete dead letters that can never be read, after you have dealt with what they report.

        Print them with `show` first: a deleted dead letter cannot be read again.

        Exit code 1: an id was not found among the oldest 1,000 dead letters.
        """
        wanted = set(dead_letter_ids)
        _check_number(wanted)
        call(f"{ACTIONS}:close", package, queue, events, wanted, reason=reason, as_json=as_json)

    return cli


def _check_number(wanted: set[str]) -> None:
    if len(wanted) > MAX_IDS:
        raise typer.BadParameter(f"give at most {MAX_IDS} ids")
