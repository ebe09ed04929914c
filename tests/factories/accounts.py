"""Events of auth about accounts."""

from datetime import UTC, datetime
from uuid import UUID

from contracts.events import (
    AccountChanged,
    AccountChangedData,
    AccountDeleted,
    AccountDeletedData,
    AccountMerged,
    AccountMergedData,
)

EMAIL, NAME = "ada@example.com", "Ada Obi"


def account_changed(
    account: UUID, *, email: str | None = EMAIL, name: str | None = NAME, time: datetime | None = None
) -> AccountChanged:
    data = AccountChangedData(account_id=account, email=email, name=name)
    return AccountChanged(subject=str(account), time=time or datetime.now(UTC), data=data)


def account_merged(guest: UUID, into: UUID, *, email: str = EMAIL, name: str | None = NAME) -> AccountMerged:
    data = AccountMergedData(account_id=guest, merged_into=into, email=email, name=name)
    return AccountMerged(subject=str(guest), data=data)


def account_deleted(account: UUID) -> AccountDeleted:
    return AccountDeleted(subject=str(account), data=AccountDeletedData(account_id=account))
