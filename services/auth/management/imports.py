"""Import accounts of another system with their password hashes. Owners log in with their passwords as before."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import ARRAY, Boolean, Text, Uuid, any_, bindparam, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.bulk import array_parameters, array_values, table_of
from services.auth.accounts.records import reserved
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
DELETE_RESERVED = (
    delete(TABLE)
    .where(TABLE.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))), reserved(TABLE.c.email))
    .returning(TABLE.c.email)
)
ADDRESS_RESERVED = RefusedLine(
    "the account that had this address before can have it back for 7 days: import this line afterwards"
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
        accounts = [row for _, row in batch if isinstance(row, ImportedAccount)]
        async with db_sessions.begin() as db:
            created, reserved_addresses = await _insert(db, accounts) if accounts else (0, frozenset())
            if created:
                after = {"accounts": created}
                await audit.record(db, AuditLogEntry, actor, "accounts.imported", "import", after=after)
        refused = [
            (number, row if isinstance(row, RefusedLine) else ADDRESS_RESERVED)
            for number, row in batch
            if isinstance(row, RefusedLine) or row.email in reserved_addresses
        ]
        for number, error in refused:
            report(number, error)
        result.imported += created
        result.existing += len(batch) - created - len(refused)
        result.refused += len(refused)
    return result


async def _insert(db: AsyncSession, accounts: Sequence[ImportedAccount]) -> tuple[int, frozenset[str]]:
    """Insert the accounts whose addresses are new and not reserved. Return their number, and the reserved addresses."""
    # In the order of the addresses: otherwise two imports of the same file could deadlock.
    ordered = sorted(accounts, key=lambda account: account.email)
    values = array_values(
        email=[account.email for account in ordered],
        name=[account.name for account in ordered],
        password_hash=[account.password_hash for account in ordered],
        email_verified=[account.email_verified for account in ordered],
    )
    ids = (await db.execute(INSERT, values)).scalars().all()
    # After the insert, for the reason that `records.is_reserved` gives.
    reserved_addresses = (await db.execute(DELETE_RESERVED, {"ids": ids})).scalars().all()
    return len(ids) - len(reserved_addresses), frozenset(reserved_addresses)
