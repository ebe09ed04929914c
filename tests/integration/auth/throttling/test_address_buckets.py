import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from services.auth.db import db_sessions
from services.auth.throttling import address_buckets
from services.auth.throttling.address_buckets import FAILED_LOGINS_AND_MAIL_REQUESTS, REGISTRATIONS, BucketRule
from services.auth.throttling.models import AddressBucket

ADDRESS = "192.0.2.1"


async def _take(rule: BucketRule, address: str = ADDRESS) -> bool:
    async with db_sessions.begin() as session:
        return await address_buckets.take(session, rule, address)


async def _wait(rule: BucketRule, address: str = ADDRESS) -> float:
    async with db_sessions.begin() as session:
        return await address_buckets.seconds_to_wait(session, rule, address)


async def _shift(seconds: float) -> None:
    """Change the buckets as if so many seconds had passed."""
    async with db_sessions.begin() as session:
        await session.execute(update(AddressBucket).values(full_at=AddressBucket.full_at - timedelta(seconds=seconds)))


async def _empty(rule: BucketRule) -> None:
    assert all([await _take(rule) for _ in range(rule.capacity)])
    await _shift(-60)  # however slow this machine is, no token has come back


@pytest.mark.parametrize(
    "rule", [FAILED_LOGINS_AND_MAIL_REQUESTS, REGISTRATIONS], ids=["failed logins", "registrations"]
)
async def test_take_when_many_at_once_then_no_more_than_the_capacity(rule: BucketRule) -> None:
    slow = BucketRule(rule.kind, rule.capacity, timedelta(hours=1), "test")
    taken = await asyncio.gather(*(_take(slow) for _ in range(rule.capacity + 30)))
    assert taken.count(True) == rule.capacity


async def test_take_when_the_bucket_is_empty_then_refused_for_this_address_and_kind_only() -> None:
    await _empty(FAILED_LOGINS_AND_MAIL_REQUESTS)
    assert not await _take(FAILED_LOGINS_AND_MAIL_REQUESTS)
    assert await _wait(FAILED_LOGINS_AND_MAIL_REQUESTS) > 0
    assert await _take(FAILED_LOGINS_AND_MAIL_REQUESTS, "192.0.2.2")
    assert await _take(REGISTRATIONS)


async def test_take_when_time_passes_then_tokens_come_back_up_to_the_capacity() -> None:
    slow = BucketRule(FAILED_LOGINS_AND_MAIL_REQUESTS.kind, capacity=3, refill=timedelta(hours=1), metric_label="test")
    assert [await _take(slow) for _ in range(4)] == [True, True, True, False]
    await _shift(2 * 3600)
    assert [await _take(slow) for _ in range(3)] == [True, True, False]
    await _shift(100 * 3600)
    assert [await _take(slow) for _ in range(4)] == [True, True, True, False]


async def test_take_when_the_addresses_are_of_one_ipv6_client_network_then_they_share_a_bucket_of_sixteen_times_the_size() -> (
    None
):
    small = BucketRule(FAILED_LOGINS_AND_MAIL_REQUESTS.kind, capacity=2, refill=timedelta(days=1), metric_label="test")
    networks = [f"2001:db8:0:{number:x}::/64" for number in range(40)]
    assert [await _take(small, network) for network in networks] == [True] * 32 + [False] * 8
    assert 0 < await _wait(small, networks[39]) <= small.refill.total_seconds() / 16
    assert await _take(small, "2001:db8:1::/64"), "another client network"
    async with db_sessions.begin() as session:
        await address_buckets.give_back(session, small, networks[0])
    assert await _take(small, networks[39])
    assert not await _take(small, networks[1])


async def test_give_back_when_the_bucket_is_empty_then_one_more_can_be_taken() -> None:
    slow = BucketRule(FAILED_LOGINS_AND_MAIL_REQUESTS.kind, capacity=2, refill=timedelta(hours=1), metric_label="test")
    assert [await _take(slow) for _ in range(3)] == [True, True, False]
    async with db_sessions.begin() as session:
        await address_buckets.give_back(session, slow, ADDRESS)
    assert [await _take(slow) for _ in range(2)] == [True, False]
