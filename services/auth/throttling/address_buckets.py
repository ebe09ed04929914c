"""Limits for each limit address: an IPv4 address, or an IPv6 /64 network.

Thousands of honest customers of a mobile network can share one address. So a login that succeeds costs nothing: a token of the bucket is
taken before the password is verified, because concurrent attempts could exceed the limit otherwise, and it is given back afterwards. Logins
with a password on a known device do not use the bucket of failed logins.

A request from an IPv6 /64 network also takes a token of its /48 network, whose bucket is larger: mobile networks divide a /48 among many
customers, but one customer of a provider may have a whole one.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import DateTime, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from services.auth.throttling.models import AddressBucket, BucketKind
from services.auth.throttling.networks import client_network

NETWORK_FACTOR = 16
"""The bucket of an IPv6 /48 network has this many times the tokens of a limit address."""


@dataclass(frozen=True, slots=True)
class BucketRule:
    """The size of the buckets of a kind: each has at most `capacity` tokens, and gets one back every `refill`."""

    kind: BucketKind
    capacity: int
    refill: timedelta
    metric_label: str
    """The label of refusals in the metric."""

    def key(self, address: str) -> bytes:
        """Return the key under which a refusal is remembered."""
        return f"{self.kind} {address}".encode()

    def with_network(self, address: str) -> "list[tuple[BucketRule, str]]":
        """Return the rules and addresses of the buckets from which a request of an address takes a token, in the order of their locks.

        These are the bucket of its IPv6 /48 network, if it has one, and the bucket of the address itself.
        """
        network = client_network(address)
        if network == address:
            return [(self, address)]
        of_network = replace(self, capacity=self.capacity * NETWORK_FACTOR, refill=self.refill / NETWORK_FACTOR)
        return [(of_network, network), (self, address)]


FAILED_LOGINS_AND_MAIL_REQUESTS = BucketRule(
    BucketKind.FAILED_LOGINS_AND_MAIL_REQUESTS, capacity=30, refill=timedelta(seconds=2), metric_label="address"
)
"""Failed logins with a password from unknown devices, wrong mail codes, and requests for a mail to any address."""

REGISTRATIONS = BucketRule(
    BucketKind.REGISTRATIONS, capacity=60, refill=timedelta(seconds=1), metric_label="registrations"
)
"""Registrations, whether they succeed or not."""

GUESTS = BucketRule(BucketKind.GUESTS, capacity=300, refill=timedelta(seconds=0.2), metric_label="guests")
"""New guests. They cost no hash, and every visitor of a shop may become one."""

_NOW = func.clock_timestamp(type_=DateTime(timezone=True))
"""Not now(), which is the start of the transaction: the statement may have waited for a lock since then."""


def _row(rule: BucketRule, address: str) -> ColumnElement[bool]:
    return (AddressBucket.kind == rule.kind) & (AddressBucket.address == address)


def _next_token_at(rule: BucketRule) -> ColumnElement[datetime]:
    return AddressBucket.full_at - (rule.capacity - 1) * rule.refill


async def seconds_to_wait(db: AsyncSession, rule: BucketRule, address: str) -> float:
    """Return the seconds until there is a token; 0 if there is one now."""
    seconds = 0.0
    for each, bucket_address in rule.with_network(address):
        wait = func.extract("epoch", _next_token_at(each) - _NOW)
        seconds = max(seconds, float(await db.scalar(select(wait).where(_row(each, bucket_address))) or 0))
    return seconds


async def take(db: AsyncSession, rule: BucketRule, address: str) -> bool:
    """Take a token. Return False if there is none: the caller then rolls back. The buckets are locked until the end of the transaction."""
    for each, bucket_address in rule.with_network(address):
        if not await _take(db, each, bucket_address):
            return False
    return True


async def _take(db: AsyncSession, rule: BucketRule, address: str) -> bool:
    first = insert(AddressBucket).values(kind=rule.kind, address=address, full_at=_NOW + rule.refill)
    taken = await db.execute(
        first.on_conflict_do_update(
            index_elements=[AddressBucket.kind, AddressBucket.address],
            set_={"full_at": func.greatest(AddressBucket.full_at, _NOW) + rule.refill},
            where=_next_token_at(rule) <= _NOW,
        ).returning(AddressBucket.full_at)
    )
    return taken.first() is not None


async def give_back(db: AsyncSession, rule: BucketRule, address: str) -> None:
    """Put back a token that was taken."""
    for each, bucket_address in rule.with_network(address):
        given = (
            update(AddressBucket).where(_row(each, bucket_address)).values(full_at=AddressBucket.full_at - each.refill)
        )
        await db.execute(given)


async def delete_full(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` buckets that are full again. Return their number. Skip those that another transaction has locked."""
    key = AddressBucket.kind, AddressBucket.address
    locked = (
        select(*key)
        .where(AddressBucket.full_at < func.now())
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("locked")
    )
    deleted = await db.execute(delete(AddressBucket).where(tuple_(*key).in_(select(locked))).returning(*key))
    return len(deleted.all())
