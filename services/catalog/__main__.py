"""`python -m services.catalog {serve,worker,migrate,check-migrations,republish,replay-events}`."""

from kit import replaying, republishing
from kit.commands import commands
from services.catalog.db import engine
from services.catalog.models import InboxRow
from services.catalog.settings import settings
from services.catalog.undeliverable import republish
from services.catalog.worker import work

cli = commands(
    "services.catalog", settings, port=settings.catalog_port, database_url=settings.catalog_database_url, worker=work
)
cli.command(name="republish")(republishing.command("catalog", republish, engine))
cli.command(name="replay-events")(replaying.command("catalog", InboxRow, engine))

if __name__ == "__main__":
    cli()
