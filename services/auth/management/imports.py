"""Import accounts of another system with their password hashes. Owners log in with their passwords as before."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Boolean, Text, case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.bulk import array_parameters, array_values, table_of
from services.auth.management.import_files import ImportedAccount, RefusedLine, Row
from services.auth.models import Account, AuditLogEntry

BATCH = 1000
ROWS = array_parameters(email=Text, name=Text, password_hash=Text, email_verified=Boolean)
TABLE = table_of(Account)
INSERT = (
    insert(TABLE)
    .from_select(
        ["id", "email", "name", "password_hash", "email_verified_at"],
        select(
            func.gen_random_uuid(),
            ROWS.c.email,
            ROWS.c.name,
            ROWS.c.password_hash,
            case((ROWS.c.email_verified, func.now())),
        ),
    )
    .on_conflict_do_nothing(index_elements=["email"])
    .returning(TABLE.c.id)
)


@dataclass(slots=True)
class ImportResult:
    """How many lines were imported, had the address of an existing account (or of an earlier line), and were refused."""

    imported: int = 0
    existing: int = 0
    refused: int = 0


async def import_accounts(
    db_sessions: async_sessionmaker[AsyncSession],
    actor: Actor,
    rows: Iterable[Row],
    report: Callable[[int, RefusedLine], object],
) -> ImportResult:
    """Create customers' accounts in transactions of up to BATCH lines, and record each transaction that created some.

    Idempotent: an account that exists is not changed. `report` is called with the number of each refused line and the error.
    """
    result = ImportResult()
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        accounts = []
        for number, row in batch:
            if isinstance(row, RefusedLine):
                result.refused += 1
                report(number, row)
            else:
                accounts.append(row)
        async with db_sessions.begin() as db:
            created = await _insert(db, accounts) if accounts else 0
            if created:
                after = {"accounts": created}
                await audit.record(db, AuditLogEntry, actor, "accounts.imported", "import", after=after)
        result.imported += created
        result.existing += len(accounts) - created
    return result


async def _insert(db: AsyncSession, accounts: Sequence[ImportedAccount]) -> int:
    """Insert the accounts whose addresses are new. Return their number."""
    # In the order of the addresses: otherwise two imports of the same file could deadlock.
    ordered = sorted(accounts, key=lambda account: account.email)
    values = array_values(
        email=[account.email for account in ordered],
        name=[account.name for account in ordered],
        password_hash=[account.password_hash for account in ordered],
        email_verified=[account.email_verified for account in ordered],
    )
    return len((await db.execute(INSERT, values)).all())
