"""Tables of the kit's own tests, in a database of their own."""

from sqlalchemy import Identity, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kit.db.engine import NAMING, TYPES
from kit.idempotency.keys import StoredKey
from kit.idempotency.long_running import LockedKey
from kit.messaging.inbox import InboxEntry
from kit.messaging.outbox import OutboxEvent


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Inbox(InboxEntry, Base):
    __tablename__ = "inbox"


class Outbox(OutboxEvent, Base):
    pass


class Keys(StoredKey, Base):
    pass


class LongKeys(LockedKey, Base):
    __tablename__ = "long_keys"


class Effect(Base):
    """What a handler brings about; without a constraint, so that doing it twice shows."""

    __tablename__ = "effects"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    of: Mapped[str]
