"""python -m services.payments serve | worker | migrate"""

from kit.commands import commands
from services.payments.settings import settings
from services.payments.worker import work

cli = commands(
    "services.payments",
    settings,
    port=settings.payments_port,
    database_url=settings.payments_database_url,
    worker=work,
)

if __name__ == "__main__":
    cli()
