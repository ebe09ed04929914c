"""The table of accounts that do not exist any more."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.payments.models import Base


class EndedAccount(Base):
    """An account that was deleted, or a guest that was merged into another account.

    For some time, requests with an access token of the account may still arrive, and its events may arrive again.
    """

    __tablename__ = "ended_accounts"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    merged_into: Mapped[UUID | None]
    """NULL if the account was deleted."""
    ended_at: Mapped[datetime] = mapped_column(index=True)
    """When auth deleted or merged the account."""
