import asyncio

import pytest

from services.auth.errors import InvalidGrant, TooBusy
from services.auth.throttling.refusal_delay import UNDELAYED_PER_ADDRESS, RefusalDelay

FOREVER = 3600.0
ADDRESS = "192.0.2.1"


async def _request(delay: RefusalDelay, address: str, error: Exception, all_run: asyncio.Event) -> None:
    async with delay.request_of(address):
        await all_run.wait()
        raise error


async def _send(delay: RefusalDelay, address: str, number: int, error: type[Exception] = TooBusy) -> int:
    """Send so many requests at the same time, and return how many errors are not delayed."""
    all_run = asyncio.Event()
    tasks = [asyncio.create_task(_request(delay, address, error(), all_run)) for _ in range(number)]
    await asyncio.sleep(0)
    all_run.set()
    for _ in range(5):
        await asyncio.sleep(0)
    answered = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, error | asyncio.CancelledError) for result in results)
    return len(answered)


@pytest.mark.parametrize("number", [1, UNDELAYED_PER_ADDRESS])
async def test_refusal_when_the_address_has_few_requests_then_at_once(number: int) -> None:
    assert await _send(RefusalDelay(FOREVER), ADDRESS, number) == number


async def test_refusal_when_the_address_has_many_requests_then_delayed() -> None:
    delay = RefusalDelay(FOREVER)
    assert await _send(delay, ADDRESS, UNDELAYED_PER_ADDRESS + 5) == 0
    assert await _send(delay, ADDRESS, 1) == 1, "the others have ended"


async def test_refusal_when_the_delay_is_over_then_the_error() -> None:
    delay = RefusalDelay(0)
    all_run = asyncio.Event()
    all_run.set()
    results = await asyncio.gather(
        *(_request(delay, ADDRESS, TooBusy(), all_run) for _ in range(UNDELAYED_PER_ADDRESS + 5)),
        return_exceptions=True,
    )
    assert all(isinstance(result, TooBusy) for result in results)


async def test_refusal_when_too_many_are_delayed_then_at_once() -> None:
    assert await _send(RefusalDelay(FOREVER, max_delayed=3), ADDRESS, UNDELAYED_PER_ADDRESS + 5) > 0


async def test_failed_login_is_not_delayed() -> None:
    number = UNDELAYED_PER_ADDRESS + 5
    assert await _send(RefusalDelay(FOREVER), ADDRESS, number, InvalidGrant) == number
