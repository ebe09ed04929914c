"""The commands `failed-events list` and `failed-events close`. failed_event_actions.py implements them."""

from typing import Annotated

import typer

from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, Reason

ACTIONS = "kit.cli.failed_event_actions"
MAX_ID = 2**63 - 1


def failed_events_cli(package: str, inbox: str) -> typer.Typer:
    """Return the commands for the failed events in the inbox of a service. `inbox`: the inbox table, as `module:name`."""
    cli = create_cli("List and close the failed events from other services. `reprocess-events` reprocesses them.")

    @cli.command(name="list")
    def list_failed_events(
        limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of events.")] = 50,
        as_json: AsJson = False,
    ) -> None:
        """List failed events, oldest first. All their automatic attempts were used, or they contradict what this service knows."""
        call(f"{ACTIONS}:list_failed_events", package, inbox, limit=limit, as_json=as_json)

    @cli.command()
    def close(
        ids: Annotated[
            list[int], typer.Argument(min=1, max=MAX_ID, help="Ids of failed events, as `list` prints them.")
        ],
        reason: Reason,
        as_json: AsJson = False,
    ) -> None:
        """Close failed events that must not be processed, after you have found out why they were published.

        They change nothing, also if they arrive again. Exit code 1: one of the events does not exist or has not failed; then none is
        changed.
        """
        call(f"{ACTIONS}:close_events", package, inbox, ids, reason, as_json=as_json)

    return cli
