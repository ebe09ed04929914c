"""Idempotency keys: a repeated request has one effect and gets the first response, never a wrong one."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, StoredResponse
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Effect, Keys


class Order(BaseModel):
    item: str
    note: str = ""


class Created(BaseModel):
    id: str


def make_request(
    key: str = "k-1", item: str = "cup", caller: str = "ada", operation: str = "POST /orders"
) -> IdempotentRequest:
    request = IdempotentRequest.of(caller, operation, key, Order(item=item))
    assert request is not None
    return request


async def order(sessions: Sessions, request: IdempotentRequest | None, *, fails: bool = False, pause: float = 0) -> str:
    """Do what a route does: respond to the request in one transaction."""
    async with sessions.begin() as session:

        async def work() -> Created:
            created = Created(id=uuid4().hex)
            await session.execute(insert(Effect).values(of=created.id))
            await asyncio.sleep(pause)
            if fails:
                raise RuntimeError
            return created

        return (await keys.respond_once(session, Keys, request, Created, work)).id


async def count(sessions: Sessions) -> int:
    async with sessions() as session:
        return len((await session.execute(select(Effect.id))).all())


async def test_a_repeated_request_gets_the_stored_response(sessions: Sessions) -> None:
    first = await order(sessions, make_request())
    assert [await order(sessions, make_request()) for _ in range(3)] == [first] * 3
    assert await count(sessions) == 1
    async with sessions.begin() as session:
        assert await keys.begin(session, Keys, make_request()) == StoredResponse(201, {"id": first})


async def test_another_request_with_the_same_key_is_refused(sessions: Sessions) -> None:
    await order(sessions, make_request())
    with pytest.raises(IdempotencyKeyReused):
        await order(sessions, make_request(item="saucer"))
    assert await count(sessions) == 1


@pytest.mark.parametrize("other", [{"key": "k-2"}, {"caller": "bob"}, {"operation": "POST /payments"}])
async def test_keys_of_other_callers_and_operations_are_independent(sessions: Sessions, other: dict[str, Any]) -> None:
    assert await order(sessions, make_request()) != await order(sessions, make_request(**other))
    assert await count(sessions) == 2


async def test_requests_without_a_key_are_independent(sessions: Sessions) -> None:
    assert IdempotentRequest.of("ada", "POST /orders", None, Order(item="cup")) is None
    assert await order(sessions, None) != await order(sessions, None)


async def test_omitted_and_default_values_have_the_same_fingerprint() -> None:
    explicit = IdempotentRequest.of("ada", "POST /orders", "k", Order.model_validate({"item": "cup", "note": ""}))
    assert explicit == IdempotentRequest.of("ada", "POST /orders", "k", Order.model_validate({"item": "cup"}))


async def test_concurrent_requests_have_one_effect(sessions: Sessions) -> None:
    results = await asyncio.gather(
        *(order(sessions, make_request(), pause=0.05) for _ in range(20)), return_exceptions=True
    )
    responses = {result for result in results if isinstance(result, str)}
    assert len(responses) == 1
    assert all(isinstance(result, str | IdempotencyKeyInUse) for result in results)
    assert await count(sessions) == 1


async def test_a_failed_request_leaves_no_key(sessions: Sessions) -> None:
    with pytest.raises(RuntimeError):
        await order(sessions, make_request(), fails=True)
    await order(sessions, make_request())
    assert await count(sessions) == 1


async def test_concurrent_requests_have_one_effect_when_the_first_fails(sessions: Sessions) -> None:
    results = await asyncio.gather(
        *(order(sessions, make_request(), fails=number == 0, pause=0.02) for number in range(20)),
        return_exceptions=True,
    )
    assert len({result for result in results if isinstance(result, str)}) == 1
    assert all(isinstance(result, str | IdempotencyKeyInUse | RuntimeError) for result in results)
    assert await count(sessions) == 1


async def test_a_key_without_a_response_is_in_use(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        assert await keys.begin(session, Keys, make_request()) is None
    with pytest.raises(IdempotencyKeyInUse):
        await order(sessions, make_request())
    with pytest.raises(IdempotencyKeyReused):
        await order(sessions, make_request(item="saucer"))


class ReleasesAfterInsert(AsyncSession):
    """A session with an INSERT that finds the key of another request, which releases it right afterwards."""

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        found = await super().execute(*args, **kwargs)
        if self.bind is not None and args[0].is_insert:
            async with AsyncSession(self.bind) as other, other.begin():
                await other.execute(delete(Keys))
        return found


async def test_a_key_that_is_released_between_insert_and_select_is_in_use(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await keys.begin(session, Keys, make_request())
    async with ReleasesAfterInsert(sessions.kw["bind"]) as session, session.begin():
        with pytest.raises(IdempotencyKeyInUse):
            await keys.begin(session, Keys, make_request())


async def test_prune_deletes_old_keys(sessions: Sessions) -> None:
    await order(sessions, make_request("k-1"))
    await order(sessions, make_request("k-2"))
    async with sessions.begin() as session:
        old = update(Keys).where(Keys.key == "k-1")
        await session.execute(old.values(created_at=text("now() - interval '25 hours'")))
    async with sessions.begin() as session:
        assert await keys.prune(session, Keys) == 1
    async with sessions() as session:
        assert (await session.execute(select(Keys.key))).scalars().all() == ["k-2"]


async def test_prune_skips_keys_that_another_worker_is_deleting(sessions: Sessions) -> None:
    for number in range(6):
        await order(sessions, make_request(f"k-{number}"))
    async with sessions.begin() as session:
        await session.execute(update(Keys).values(created_at=text("now() - interval '25 hours'")))
    async with sessions.begin() as first, sessions.begin() as second:
        assert [await keys.prune(one, Keys, 3) for one in (first, second)] == [3, 3]
