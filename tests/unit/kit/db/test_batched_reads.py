"""Requests that read single rows share queries, and none gets a row as it was before it asked."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from kit.db.batched_reads import BATCH, BatchedReads


class Table:
    """A table that answers a query when the test says so. Each query has its keys and the future of its result."""

    def __init__(self) -> None:
        self.queries: list[tuple[list[int], asyncio.Future[dict[int, str]]]] = []
        self.asked = asyncio.Event()

    async def read(self, keys: Collection[int]) -> Mapping[int, str]:
        result: asyncio.Future[dict[int, str]] = asyncio.get_running_loop().create_future()
        self.queries.append((list(keys), result))
        self.asked.set()
        return await result

    async def next_query(self) -> tuple[list[int], asyncio.Future[dict[int, str]]]:
        async with asyncio.timeout(5):
            await self.asked.wait()
        self.asked.clear()
        return self.queries[-1]


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def reads(table: Table) -> BatchedReads[int, str]:
    return BatchedReads(table.read)


async def test_get_when_requests_arrive_during_a_query_then_the_next_query_answers_all_of_them(
    table: Table, reads: BatchedReads[int, str]
) -> None:
    first = asyncio.create_task(reads.get(1))
    keys, result = await table.next_query()
    assert keys == [1]
    others = [asyncio.create_task(reads.get(key)) for key in (1, 2, 3, 1)]
    await asyncio.sleep(0)
    result.set_result({1: "old"})
    keys, result = await table.next_query()
    assert (await first, keys) == ("old", [1, 2, 3])
    result.set_result({1: "new", 2: "two"})
    assert await asyncio.gather(*others) == ["new", "two", None, "new"]
    assert len(table.queries) == 2


async def test_get_when_the_query_fails_then_its_requests_fail_and_the_next_ones_do_not(
    table: Table, reads: BatchedReads[int, str]
) -> None:
    failing = [asyncio.create_task(reads.get(key)) for key in (1, 2)]
    _, result = await table.next_query()
    later = asyncio.create_task(reads.get(1))
    await asyncio.sleep(0)
    result.set_exception(ConnectionError("gone"))
    assert [type(each) for each in await asyncio.gather(*failing, return_exceptions=True)] == [ConnectionError] * 2
    _, result = await table.next_query()
    result.set_result({1: "one"})
    assert await later == "one"


async def test_get_when_a_request_is_cancelled_then_the_others_get_their_rows(
    table: Table, reads: BatchedReads[int, str]
) -> None:
    cancelled, other = asyncio.create_task(reads.get(1)), asyncio.create_task(reads.get(1))
    _, result = await table.next_query()
    cancelled.cancel()
    await asyncio.sleep(0)
    result.set_result({1: "one"})
    assert await other == "one"
    assert cancelled.cancelled()


async def test_get_when_many_keys_wait_then_each_query_has_a_limited_number(
    table: Table, reads: BatchedReads[int, str]
) -> None:
    waiting = [asyncio.create_task(reads.get(key)) for key in range(BATCH + 1)]
    for expected in (BATCH, 1):
        keys, result = await table.next_query()
        assert len(keys) == expected
        result.set_result({key: str(key) for key in keys})
    assert await asyncio.gather(*waiting) == [str(key) for key in range(BATCH + 1)]


async def test_get_when_the_process_ends_then_no_request_waits(table: Table, reads: BatchedReads[int, str]) -> None:
    waiting = asyncio.create_task(reads.get(1))
    _, result = await table.next_query()
    result.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
