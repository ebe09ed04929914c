"""The command line of catalog."""

from functools import partial

from contracts.events import EVENT_ADAPTER
from contracts.topology import CATALOG_PAYMENTS
from kit.cli.app import service_cli
from kit.cli.audit import audit_cli
from kit.cli.dead_letters import dead_letters_cli
from kit.cli.reprocess import reprocess_command
from kit.cli.republish import republish_command
from services.catalog.db import engine, sessions
from services.catalog.fulfilment.undeliverable import republish
from services.catalog.models import AuditLogEntry, InboxRow
from services.catalog.settings import settings

cli = service_cli(
    "services.catalog",
    settings,
    database_url=settings.catalog_database_url,
    migration_database_url=settings.catalog_migration_database_url,
)
cli.command(name="republish")(republish_command("catalog", partial(republish, sessions), AuditLogEntry, engine))
cli.command(name="reprocess-events")(reprocess_command("catalog", InboxRow, AuditLogEntry, engine))
cli.add_typer(audit_cli("catalog", AuditLogEntry, engine), name="audit")
cli.add_typer(dead_letters_cli("catalog", CATALOG_PAYMENTS, EVENT_ADAPTER), name="dead-letters")
