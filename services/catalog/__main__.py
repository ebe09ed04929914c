"""`python -m services.catalog {serve,worker,migrate,check-migrations}`."""

from kit.commands import commands
from services.catalog.settings import settings
from services.catalog.worker import work

cli = commands(
    "services.catalog", settings, port=settings.catalog_port, database_url=settings.catalog_database_url, worker=work
)

if __name__ == "__main__":
    cli()
