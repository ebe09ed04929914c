import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from starlette.requests import ClientDisconnect

from services.auth.accounts.hash_queue import (
    MAX_WAITING,
    MAX_WAITING_KNOWN_OF_NETWORK,
    MAX_WAITING_PER_REQUESTER,
    MAX_WAITING_REGISTRATIONS,
    HashQueue,
    Requester,
    never_disconnected,
)
from services.auth.errors import TooBusy

ONE, OTHER = Requester.of_address("192.0.2.1"), Requester.of_address("192.0.2.2")
KNOWN = Requester.of_account("5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10", "192.0.2.3")


async def _gone() -> bool:
    return True


class Requests:
    """Requests for the one slot of a queue, which is held until `serve`."""

    def __init__(self, queue: HashQueue) -> None:
        self.queue = queue
        self.served: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._held = AsyncExitStack()

    async def hold(self) -> None:
        await self._held.enter_async_context(self.queue.slot(KNOWN))

    async def add(
        self, requester: Requester, *names: str, disconnected: Callable[[], Awaitable[bool]] = never_disconnected
    ) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._request(name, requester, disconnected))
            await asyncio.sleep(0)  # it waits now, or is refused

    async def serve(self) -> dict[str, BaseException]:
        """Free the slot, and return the errors of the requests that were not served."""
        await self._held.aclose()
        results = await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return {name: error for name, error in zip(self.tasks, results, strict=True) if error is not None}

    async def _request(self, name: str, requester: Requester, disconnected: Callable[[], Awaitable[bool]]) -> None:
        async with self.queue.slot(requester, disconnected):
            self.served.append(name)


@pytest.fixture
async def requests() -> Requests:
    requests = Requests(HashQueue(1))
    await requests.hold()
    return requests


async def test_slot_when_one_address_has_more_requests_then_addresses_take_turns(requests: Requests) -> None:
    await requests.add(ONE, "a1", "a2", "a3", "a4")
    await requests.add(OTHER, "b1", "b2")
    assert await requests.serve() == {}
    assert requests.served == ["a1", "b1", "a2", "b2", "a3", "a4"]


async def test_slot_when_known_devices_wait_too_then_they_have_every_second_turn(requests: Requests) -> None:
    await requests.add(ONE, "a1", "a2", "a3")
    await requests.add(OTHER, "b1")
    await requests.add(KNOWN, "k1", "k2")
    assert await requests.serve() == {}
    assert requests.served == ["k1", "a1", "k2", "b1", "a2", "a3"]


@pytest.mark.parametrize(
    ("requester", "capacity"),
    [
        (ONE, MAX_WAITING_PER_REQUESTER),
        (KNOWN, MAX_WAITING_PER_REQUESTER),
        (Requester.of_registrations("192.0.2.1"), MAX_WAITING_REGISTRATIONS),
    ],
    ids=["address", "known devices", "registrations"],
)
async def test_slot_when_a_requester_has_the_maximum_then_further_requests_are_refused(
    requests: Requests, requester: Requester, capacity: int
) -> None:
    await requests.add(requester, *(str(number) for number in range(capacity + 2)))
    await requests.add(OTHER, "other")
    errors = await requests.serve()
    assert [(name, type(error)) for name, error in errors.items()] == [
        (str(capacity), TooBusy),
        (str(capacity + 1), TooBusy),
    ]
    assert "other" in requests.served


async def test_slot_when_the_queue_is_full_then_the_requester_with_most_requests_makes_room() -> None:
    requests = Requests(HashQueue(1, max_waiting=4))
    await requests.hold()
    await requests.add(ONE, "a1", "a2", "a3", "a4")
    await requests.add(OTHER, "b1", "b2", "b3")
    await requests.add(KNOWN, "k1")
    errors = await requests.serve()
    assert {name: type(error) for name, error in errors.items()} == {"a3": TooBusy, "a4": TooBusy, "b3": TooBusy}
    assert requests.served == ["k1", "a1", "b1", "a2", "b2"]


async def test_slot_when_every_requester_has_one_request_and_the_queue_is_full_then_a_new_one_is_refused() -> None:
    requests = Requests(HashQueue(1, max_waiting=2))
    await requests.hold()
    for name in ("a", "b", "c"):
        await requests.add(Requester.of_address(name), name)
    assert list(await requests.serve()) == ["c"]


async def test_slot_when_one_address_has_many_accounts_then_its_known_devices_do_not_fill_the_queue(
    requests: Requests,
) -> None:
    for number in range(MAX_WAITING):
        await requests.add(Requester.of_account(number, "192.0.2.1"), str(number))
    await requests.add(KNOWN, "owner")
    errors = await requests.serve()
    assert {type(error) for error in errors.values()} == {TooBusy}
    assert requests.served == [*map(str, range(MAX_WAITING_KNOWN_OF_NETWORK)), "owner"]


def _in_network(number: int) -> str:
    """Return one of the /64 networks of an IPv6 /48 network."""
    return f"2001:db8:0:{number:x}::/64"


async def test_slot_when_one_ipv6_client_network_uses_many_networks_then_they_share_one_turn(
    requests: Requests,
) -> None:
    for number in range(4):
        await requests.add(Requester.of_address(_in_network(number)), f"s{number}a", f"s{number}b")
    await requests.add(ONE, "a1", "a2")
    await requests.add(Requester.of_address("2001:db8:1::/64"), "b1")
    assert await requests.serve() == {}
    assert requests.served[:6] == ["s0a", "a1", "b1", "s1a", "a2", "s2a"]
    assert requests.served[6:] == ["s3a", "s0b", "s1b", "s2b", "s3b"]


async def test_slot_when_the_networks_of_one_ipv6_client_network_fill_the_queue_then_they_make_room(
    requests: Requests,
) -> None:
    for number in range(MAX_WAITING):
        await requests.add(Requester.of_address(_in_network(number)), str(number))
    await requests.add(Requester.of_registrations(_in_network(7)), "of the network")
    await requests.add(ONE, "a1", "a2")
    errors = await requests.serve()
    assert {name: type(error) for name, error in errors.items()} == dict.fromkeys(
        ("of the network", "249", "248"), TooBusy
    )
    assert requests.served[1] == "a1"


async def test_slot_when_known_devices_are_at_many_networks_of_one_ipv6_client_network_then_they_do_not_fill_the_queue(
    requests: Requests,
) -> None:
    for number in range(MAX_WAITING):
        await requests.add(Requester.of_account(number, _in_network(number)), str(number))
    await requests.add(KNOWN, "owner")
    errors = await requests.serve()
    assert {type(error) for error in errors.values()} == {TooBusy}
    assert requests.served == [*map(str, range(MAX_WAITING_KNOWN_OF_NETWORK)), "owner"]


async def test_slot_when_requests_of_an_address_were_served_cancelled_or_refused_then_its_places_are_free() -> None:
    requests = Requests(HashQueue(1, max_waiting=MAX_WAITING_KNOWN_OF_NETWORK))
    await requests.hold()
    await requests.add(Requester.of_account(0, "192.0.2.1"), "first of account 0", "second of account 0")
    for account in range(1, MAX_WAITING_KNOWN_OF_NETWORK - 1):
        await requests.add(Requester.of_account(account, "192.0.2.1"), f"account {account}")
    await requests.add(KNOWN, "owner")  # takes the place of the second request of account 0
    requests.tasks["account 1"].cancel()
    await asyncio.sleep(0)
    await requests.add(Requester.of_account("more", "192.0.2.1"), "more")
    assert set(await requests.serve()) == {"second of account 0", "account 1"}
    await requests.hold()
    requests.served.clear()
    for number in range(MAX_WAITING_KNOWN_OF_NETWORK):
        await requests.add(Requester.of_account(number, "192.0.2.1"), f"again {number}")
    await requests.serve()
    assert len(requests.served) == MAX_WAITING_KNOWN_OF_NETWORK


async def test_slot_when_the_client_is_gone_then_the_request_is_dropped(requests: Requests) -> None:
    await requests.add(ONE, "a1", disconnected=_gone)
    await requests.add(ONE, "a2")
    errors = await requests.serve()
    assert {name: type(error) for name, error in errors.items()} == {"a1": ClientDisconnect}
    assert requests.served == ["a2"]


async def test_slot_when_waiting_takes_too_long_then_too_busy_and_the_place_is_free() -> None:
    requests = Requests(HashQueue(1, max_waiting=1, max_wait_seconds=0.01))
    await requests.hold()
    await requests.add(ONE, "a1")
    with pytest.raises(TooBusy):
        await requests.tasks["a1"]
    await requests.add(ONE, "a2")
    assert list(await requests.serve()) == ["a1"]


async def test_slot_when_a_waiting_request_is_cancelled_then_the_next_one_is_served(requests: Requests) -> None:
    await requests.add(ONE, "a1", "a2", "a3")
    requests.tasks["a1"].cancel()
    await asyncio.sleep(0)
    await requests.add(ONE, *(str(number) for number in range(MAX_WAITING_PER_REQUESTER - 2)))
    assert list(await requests.serve()) == ["a1"]


async def test_slot_when_a_request_is_cancelled_as_it_gets_the_slot_then_the_next_one_is_served(
    requests: Requests,
) -> None:
    await requests.add(ONE, "a1", "a2")
    serving = asyncio.create_task(requests.serve())
    await asyncio.sleep(0)  # the slot is given to a1, which has not run since
    requests.tasks["a1"].cancel()
    assert list(await serving) == ["a1"]
    assert requests.served == ["a2"]
    await requests.add(ONE, "a3")
    await asyncio.gather(requests.tasks["a3"])
