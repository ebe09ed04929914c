"""End sessions, and revoke access tokens. The other services poll the list of what was revoked (kit/revocations.py).

A flow that changes an account (its password, its role, a ban, its deletion) changes the account's row first and then calls
`end_sessions_of_account` in the same transaction. A login that is under way then fails (`refresh_tokens.begin_session`), so no session
survives the change.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from sqlalchemy import DateTime, Insert, Text, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from contracts.revocations import RevocationList
from contracts.tokens import MAX_LIFETIME_SECONDS
from kit.db.bulk import array_parameters, array_values, table_of
from services.auth.sessions.models import LoginSession, Revocation, RevocationKind

MARGIN = timedelta(seconds=90)
"""How much longer than its token an entry is kept: for the allowed difference of clocks, and for a token that is signed a moment later
than its session's `access_expires_at` was computed."""

MAX_ENTRIES = 20_000
"""The published list names at most this many sessions, subjects and tokens: the last ones that were revoked. If older revocations are left
out, services refuse every token that was issued before the time of the newest revocation that is left out. Clients whose sessions have
not ended then refresh their tokens."""


async def end_sessions_of_account(db: AsyncSession, account_id: UUID, *, keep: str | None = None) -> int:
    """End all sessions of an account, except the session `keep`. Return how many ended.

    Their refresh tokens end at once. Every service refuses their access tokens within ten seconds.
    """
    conditions = [LoginSession.account_id == account_id]
    if keep is not None:
        conditions.append(LoginSession.sid != keep)
    return len(await end_sessions(db, *conditions))


async def end_sessions(db: AsyncSession, *conditions: ColumnElement[bool]) -> Sequence[tuple[UUID, bool]]:
    """End the sessions that match. Return the account of each, and whether the session had not expired yet."""
    # In the order of their keys: otherwise two requests that end the same sessions could deadlock.
    locked = (
        select(LoginSession.token_prefix)
        .where(*conditions)
        .order_by(LoginSession.token_prefix)
        .with_for_update()
        .cte("locked")
    )
    deleted = await db.execute(
        delete(LoginSession)
        .where(LoginSession.token_prefix.in_(select(locked.c.token_prefix)))
        .returning(
            LoginSession.sid,
            LoginSession.account_id,
            LoginSession.access_expires_at,
            LoginSession.expires_at > func.now(),
        )
    )
    rows = [(sid, account_id, expires_at + MARGIN, valid) for sid, account_id, expires_at, valid in deleted]
    now = datetime.now(UTC)
    await _revoke(db, RevocationKind.SESSION, {sid: until for sid, _, until, _ in rows if until > now})
    return [(account_id, valid) for _, account_id, _, valid in rows]


async def revoke_subject(db: AsyncSession, subject: str) -> None:
    """Revoke all access tokens that an account or a program has now. Tokens that it gets from the next second on are valid."""
    await _revoke(
        db, RevocationKind.SUBJECT, {subject: datetime.now(UTC) + timedelta(seconds=MAX_LIFETIME_SECONDS) + MARGIN}
    )


async def revoke_token(db: AsyncSession, jti: str, expires_at: datetime) -> None:
    """Revoke one access token, which expires at `expires_at`."""
    await _revoke(db, RevocationKind.TOKEN, {jti: expires_at + MARGIN})


async def _revoke(db: AsyncSession, kind: RevocationKind, expiries: Mapping[str, datetime]) -> None:
    if expiries:
        keys = sorted(expiries)
        values = array_values(key=keys, expires_at=[expiries[key] for key in keys])
        await db.execute(_insert(kind), values)


@cache
def _insert(kind: RevocationKind) -> Insert:
    rows, table = array_parameters(key=Text, expires_at=DateTime(timezone=True)), table_of(Revocation)
    new = insert(table).from_select(["kind", "key", "expires_at"], select(literal(kind.value), rows))
    later = {"revoked_at": func.now(), "expires_at": func.greatest(table.c.expires_at, new.excluded.expires_at)}
    return new.on_conflict_do_update(index_elements=["kind", "key"], set_=later)


async def current_list(db: AsyncSession, limit: int = MAX_ENTRIES) -> RevocationList:
    """Return the revocation list: at most `limit` entries, the newest ones."""
    found = await db.execute(
        select(Revocation.kind, Revocation.key, func.floor(func.extract("epoch", Revocation.revoked_at)))
        .where(Revocation.expires_at > func.now())
        .order_by(Revocation.revoked_at.desc(), Revocation.kind, Revocation.key)
        .limit(limit + 1)
    )
    rows = found.all()
    named: dict[RevocationKind, dict[str, int]] = {kind: {} for kind in RevocationKind}
    for kind, key, revoked_at in rows[:limit]:
        named[kind][key] = int(revoked_at)
    return RevocationList(
        sessions=sorted(named[RevocationKind.SESSION]),
        subjects=dict(sorted(named[RevocationKind.SUBJECT].items())),
        tokens=sorted(named[RevocationKind.TOKEN]),
        # A token that was signed while its session ended may be a moment younger than the entry.
        issued_before=int(rows[limit][2]) + 1 if len(rows) > limit else 0,
    )


async def delete_expired(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` entries whose tokens have expired. Return their number. Skip those that another worker is deleting."""
    primary_key = Revocation.kind, Revocation.key
    expired = select(*primary_key).where(Revocation.expires_at < func.now()).limit(limit)
    locked = expired.with_for_update(skip_locked=True).cte("locked")
    matches = (Revocation.kind == locked.c.kind) & (Revocation.key == locked.c.key)
    deleted = await db.execute(delete(Revocation).where(matches).returning(Revocation.key))
    return len(deleted.all())
