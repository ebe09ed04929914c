"""python -m services.payments serve | worker | migrate, and what operators do: status, notices, sweep, backfill, reconcile, ..."""

from kit import replaying, republishing
from kit.commands import commands
from services.payments.db import engine
from services.payments.models import Inbox
from services.payments.operators import held, notices, recovery, refunds
from services.payments.operators.reconciliation import reconcile
from services.payments.operators.status import status
from services.payments.republishing import republish
from services.payments.settings import settings
from services.payments.worker import work

cli = commands(
    "services.payments",
    settings,
    port=settings.payments_port,
    database_url=settings.payments_database_url,
    worker=work,
)
cli.command()(status)
cli.add_typer(notices.cli, name="notices")
cli.command()(recovery.sweep)
cli.command()(recovery.backfill)
cli.command()(reconcile)
cli.add_typer(held.cli, name="held")
cli.add_typer(refunds.cli, name="refunds")
cli.command(name="republish")(republishing.command("payments", republish, engine))
cli.command(name="replay-events")(replaying.command("payments", Inbox, engine))

if __name__ == "__main__":
    cli()
