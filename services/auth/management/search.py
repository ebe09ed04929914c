"""Find accounts, newest first."""

import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, not_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.auth.email_addresses import normalize_email
from services.auth.models import BANNED, WORD_SEPARATORS, Account

MAX_WORDS = 10
LAST_CHARACTER = "\U0010ffff"
"""Sorts after every other character."""


class AccountStatus(StrEnum):
    ACTIVE = "active"
    BANNED = "banned"


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """The filters of a list; an account must match all of them.

    `q`: the id, the beginning of the e-mail address, or the beginnings of words of the name.
    """

    q: str | None = None
    role: str | None = None
    status: AccountStatus | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the SQL conditions of the filters that are set."""
        found: list[ColumnElement[bool]] = []
        if self.q is not None:
            found.append(_matches(self.q))
        if self.role is not None:
            found.append(Account.role == self.role)
        if self.status is AccountStatus.BANNED:
            # The first condition selects the partial index.
            found += [Account.banned_at.is_not(None), BANNED]
        elif self.status is AccountStatus.ACTIVE:
            found.append(not_(func.coalesce(BANNED, False)))
        return found


async def list_accounts(
    db: AsyncSession, selected: AccountFilter, limit: int, before: tuple[datetime, UUID] | None = None
) -> Sequence[Account]:
    """Return up to `limit` accounts, newest first; with `before`, only those that follow the account with this time and id."""
    query = select(Account).where(*selected.conditions())
    if before is not None:
        query = query.where(tuple_(Account.created_at, Account.id) < before)
    found: type[Account] = Account
    if selected.q is not None:
        # The planner overestimates the matches: without this, it would look at all accounts, newest first, until it has found enough.
        matches = query.cte("matches").prefix_with("MATERIALIZED")
        found = aliased(Account, matches)
        query = select(found)
    return (await db.scalars(query.order_by(found.created_at.desc(), found.id.desc()).limit(limit))).all()


def _matches(q: str) -> ColumnElement[bool]:
    text = unicodedata.normalize("NFC", q.strip())
    try:
        return Account.id == UUID(text)
    except ValueError:
        pass
    conditions: list[ColumnElement[bool]] = [Account.name_words.op("@@")(func.to_tsquery("simple", _tsquery(text)))]
    if not re.search(r"\s", text):
        prefix = text.lower()
        # These operators compare byte by byte, as the index does. LIKE could not use it in a prepared statement.
        conditions.append(
            and_(Account.email.op("~>=~")(prefix), Account.email.op("~<~")(prefix + LAST_CHARACTER)),
        )
        with suppress(ValueError):  # `q` is only the beginning of an address
            conditions.append(Account.email == normalize_email(text))
    return or_(*conditions)


def _tsquery(text: str) -> str:
    """Return a tsquery for the first MAX_WORDS words. A word also matches the beginning of a longer word. Every word is quoted."""
    words = re.sub(rf"[{re.escape(WORD_SEPARATORS)}'\\\\\x00-\x1f]", " ", text).split()[:MAX_WORDS]
    return " & ".join(f"'{word}':*" for word in words)
