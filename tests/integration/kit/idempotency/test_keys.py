"""Idempotency-Key: one intent, one result; the first answer again, and never a wrong one."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, StoredResponse
from tests.kit.conftest import Sessions
from tests.kit.tables import Effect, Keys


class Order(BaseModel):
    item: str
    note: str = ""


class Made(BaseModel):
    id: str


def intent(
    key: str = "k-1", item: str = "cup", caller: str = "ada", operation: str = "POST /orders"
) -> IdempotentRequest:
    made = IdempotentRequest.of(caller, operation, key, Order(item=item))
    assert made is not None
    return made


async def order(sessions: Sessions, asked: IdempotentRequest | None, *, fails: bool = False, pause: float = 0) -> str:
    """What a route does: claim, work, keep; all in one transaction."""
    async with sessions.begin() as session:
        kept = await keys.begin(session, Keys, asked)
        if kept is not None:
            return str(kept.body["id"])
        made = Made(id=uuid4().hex)
        await session.execute(insert(Effect).values(of=made.id))
        await asyncio.sleep(pause)
        if fails:
            raise RuntimeError
        await keys.store_response(session, Keys, asked, 201, made)
    return made.id


async def count(sessions: Sessions) -> int:
    async with sessions() as session:
        return len((await session.execute(select(Effect.id))).all())


async def test_the_same_key_gets_the_same_answer(sessions: Sessions) -> None:
    first = await order(sessions, intent())
    assert [await order(sessions, intent()) for _ in range(3)] == [first] * 3
    assert await count(sessions) == 1
    async with sessions.begin() as session:
        assert await keys.begin(session, Keys, intent()) == StoredResponse(201, {"id": first})


async def test_another_request_under_the_key_is_refused(sessions: Sessions) -> None:
    await order(sessions, intent())
    with pytest.raises(IdempotencyKeyReused):
        await order(sessions, intent(item="saucer"))
    assert await count(sessions) == 1


@pytest.mark.parametrize("other", [{"key": "k-2"}, {"caller": "bob"}, {"operation": "POST /payments"}])
async def test_keys_are_of_one_caller_and_one_operation(sessions: Sessions, other: dict[str, Any]) -> None:
    assert await order(sessions, intent()) != await order(sessions, intent(**other))
    assert await count(sessions) == 2


async def test_without_a_key_every_request_is_new(sessions: Sessions) -> None:
    assert IdempotentRequest.of("ada", "POST /orders", None, Order(item="cup")) is None
    assert await order(sessions, None) != await order(sessions, None)


async def test_what_a_request_leaves_out_is_its_default() -> None:
    said = IdempotentRequest.of("ada", "POST /orders", "k", Order.model_validate({"item": "cup", "note": ""}))
    assert said == IdempotentRequest.of("ada", "POST /orders", "k", Order.model_validate({"item": "cup"}))


async def test_twenty_at_once_do_it_once(sessions: Sessions) -> None:
    results = await asyncio.gather(*(order(sessions, intent(), pause=0.05) for _ in range(20)), return_exceptions=True)
    answers = {result for result in results if isinstance(result, str)}
    assert len(answers) == 1
    assert all(isinstance(result, str | IdempotencyKeyInUse) for result in results)
    assert await count(sessions) == 1


async def test_a_request_that_fails_leaves_no_key(sessions: Sessions) -> None:
    with pytest.raises(RuntimeError):
        await order(sessions, intent(), fails=True)
    await order(sessions, intent())
    assert await count(sessions) == 1


async def test_twenty_at_once_whose_first_fails(sessions: Sessions) -> None:
    results = await asyncio.gather(
        *(order(sessions, intent(), fails=number == 0, pause=0.02) for number in range(20)), return_exceptions=True
    )
    assert len({result for result in results if isinstance(result, str)}) == 1
    assert all(isinstance(result, str | IdempotencyKeyInUse | RuntimeError) for result in results)
    assert await count(sessions) == 1


async def test_a_claim_without_an_answer_is_in_use(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        assert await keys.begin(session, Keys, intent()) is None
    with pytest.raises(IdempotencyKeyInUse):
        await order(sessions, intent())
    with pytest.raises(IdempotencyKeyReused):
        await order(sessions, intent(item="saucer"))


class Unlucky(AsyncSession):
    """Finds the key taken, and before it can look at it the other request releases it."""

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        found = await super().execute(*args, **kwargs)
        if self.bind is not None and args[0].is_insert:
            async with AsyncSession(self.bind) as other, other.begin():
                await other.execute(delete(Keys))
        return found


async def test_a_key_released_while_we_look_is_in_use(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await keys.begin(session, Keys, intent())
    async with Unlucky(sessions.kw["bind"]) as session, session.begin():
        with pytest.raises(IdempotencyKeyInUse):
            await keys.begin(session, Keys, intent())


async def test_old_keys_are_forgotten(sessions: Sessions) -> None:
    await order(sessions, intent("k-1"))
    await order(sessions, intent("k-2"))
    async with sessions.begin() as session:
        old = update(Keys).where(Keys.key == "k-1")
        await session.execute(old.values(created_at=text("now() - interval '25 hours'")))
    async with sessions.begin() as session:
        assert await keys.prune(session, Keys) == 1
    async with sessions() as session:
        assert (await session.execute(select(Keys.key))).scalars().all() == ["k-2"]
