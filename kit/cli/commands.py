"""The commands that every service has, declared without their implementation (migrations.py, republish.py, reprocess.py)."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from kit.cli.failed_events import failed_events_cli
from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, RequiredSince, Since, Until
from kit.cli.times import check_period


def service_cli(package: str) -> typer.Typer:
    """Return the command line of `python -m <package>` with the commands of every service. A service adds its own commands.

    `serve` and `worker` are here only for the help: the entry point runs them itself (entry_point.py).
    """
    cli = create_cli(f"The {package.rpartition('.')[2]} service.")

    @cli.command()
    def serve() -> None:
        """Serve HTTP requests."""
        call("kit.cli.processes:serve", package)

    @cli.command()
    def worker() -> None:
        """Run the background jobs."""
        call("kit.cli.processes:work", package)

    @cli.command()
    def migrate() -> None:
        """Migrate the database to the revision that this code needs. Safe to run repeatedly and concurrently."""
        call("kit.cli.migrations:migrate", package)

    @cli.command(name="check-migrations")
    def check_migrations() -> None:
        """Fail if the models and the migrations differ."""
        call("kit.cli.migrations:check_migrations", package)

    cli.add_typer(_audit_commands(package), name="audit")
    return cli


def _audit_commands(package: str) -> typer.Typer:
    """Return the commands of the audit log of a service."""
    cli = create_cli("Read the audit log.")

    @cli.callback()
    def group() -> None:
        """Read the audit log."""
        # Without a callback, typer makes a single command the whole program.

    @cli.command(name="list")
    def list_acts(
        actor: Annotated[
            str | None, typer.Option("--actor", help="Only acts of this account, program or operator:<user>.")
        ] = None,
        act: Annotated[
            str | None, typer.Option("--act", help="Only acts of this kind, as the list names them.")
        ] = None,
        subject: Annotated[
            str | None, typer.Option("--subject", help="Only acts on this subject, as the list names it.")
        ] = None,
        since: Since = None,
        until: Until = None,
        limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of entries.")] = 50,
        as_json: AsJson = False,
    ) -> None:
        """List acts, newest first. --from and --to select by the time of the act."""
        check_period(since, until)
        filters = {"actor": actor, "act": act, "subject": subject, "since": since, "until": until}
        call("kit.cli.audit:list_acts", package, filters, limit=limit, as_json=as_json)

    return cli


def add_event_commands(cli: typer.Typer, package: str, *, republish: str, inbox: str | None = None) -> None:
    """Add the commands of a service that publishes events, and consumes events if it has an inbox.

    `republish`: the function of type Republish, as `module:name`. `inbox`: the inbox table of consumed events, as `module:name`.
    """

    @cli.command(name="republish")
    def republish_events(since: RequiredSince, until: Until = None, as_json: AsJson = False) -> None:
        """Republish the events of a period, for example after a queue was purged. Consumers ignore events that they have processed."""
        check_period(since, until)
        call(
            "kit.cli.republish:republish_events", package, republish, since, until or datetime.now(UTC), as_json=as_json
        )

    if inbox is None:
        return

    @cli.command(name="reprocess-events")
    def reprocess_events(as_json: AsJson = False) -> None:
        """Reprocess all failed events from other services (not webhook events). Idempotent: no effect happens twice."""
        call("kit.cli.reprocess:reprocess_events", package, inbox, as_json=as_json)

    cli.add_typer(failed_events_cli(package, inbox), name="failed-events")
