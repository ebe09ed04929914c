"""A fair queue for a few threads: requesters take turns, so one IP address with many requests does not keep the others waiting.

Requests from known devices and requests from unknown ones have separate queues, which take turns too. In each queue, requesters take turns:
an account on its known devices is one requester, and so is a limit address with its unknown devices. All limit addresses of one IPv6 /48
network share the turns of one, because one customer may have a whole /48, with 65,536 limit addresses.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect

from services.auth.errors import TooBusy
from services.auth.metrics import hashes_waiting
from services.auth.throttling.networks import client_network

MAX_WAITING_PER_REQUESTER = 8
MAX_WAITING_REGISTRATIONS = 60
"""The limit for registrations of one limit address: as many as its bucket has tokens (throttling/address_buckets.py)."""

MAX_WAITING_KNOWN_OF_NETWORK = 16
"""The limit for requests from known devices of one IPv4 address or IPv6 /48 network, for all accounts together: otherwise a person with
many accounts could fill the queue."""

MAX_WAITING = 250
"""The limit of each of the two queues. Both together are half of the requests that a process works on (kit/http/request_limit.py)."""

MAX_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Requester:
    """An account or a limit address. Its requests are served in the sequence of their arrival, and take turns with those of others.

    At most `capacity` of its requests wait; further ones are refused.
    """

    key: str
    known: bool
    address: str = ""
    """The limit address from which the requests come. Empty if no client has requested it."""
    capacity: int = MAX_WAITING_PER_REQUESTER

    @property
    def network(self) -> str:
        """The IPv4 address or IPv6 /48 network of the requests."""
        return client_network(self.address)

    @property
    def turn_group(self) -> str:
        """Requesters of one group share their turns: those of the unknown devices of a client network."""
        return self.key if self.known else self.network

    @classmethod
    def of_account(cls, account_id: object, address: str) -> "Requester":
        """Return the requester for an account: its known devices and its logged-in owner. `address`: a limit address."""
        return cls(f"account {account_id}", known=True, address=address)

    @classmethod
    def of_address(cls, address: str) -> "Requester":
        """Return the requester for the logins of a limit address from unknown devices."""
        return cls(f"logins {address}", known=False, address=address)

    @classmethod
    def of_registrations(cls, address: str) -> "Requester":
        """Return the requester for the registrations of a limit address. Registrations come in bursts, such as after an advertisement."""
        return cls(f"registrations {address}", known=False, address=address, capacity=MAX_WAITING_REGISTRATIONS)


AUTH_ITSELF = Requester("auth itself", known=True)
"""The requester of hashes that no client has requested."""


async def never_disconnected() -> bool:
    """Return False: no client waits, so none can have disconnected."""
    return False


class HashQueue:
    """Gives each of `slots` slots to one request at a time."""

    def __init__(self, slots: int, max_waiting: int = MAX_WAITING, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._free = slots
        self._max_wait_seconds = max_wait_seconds
        self._known = _Queue(max_waiting, MAX_WAITING_KNOWN_OF_NETWORK)
        self._unknown = _Queue(max_waiting, max_waiting)  # its groups are networks
        self._known_is_next = True

    @asynccontextmanager
    async def slot(
        self, requester: Requester, disconnected: Callable[[], Awaitable[bool]] = never_disconnected
    ) -> AsyncIterator[None]:
        """Hold a slot during the `with` block.

        Raises TooBusy if too many requests wait, or if this one waited MAX_WAIT_SECONDS; ClientDisconnect if its client is gone by then.
        """
        await self._acquire(requester)
        try:
            if await disconnected():
                raise ClientDisconnect
            yield
        finally:
            self._release()

    async def _acquire(self, requester: Requester) -> None:
        if self._free:  # then no request waits
            self._free -= 1
            return
        queue = self._known if requester.known else self._unknown
        waiter = queue.join(requester)
        try:
            with hashes_waiting.track_inprogress():
                async with asyncio.timeout(self._max_wait_seconds):
                    await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release()  # the slot was given at the same moment
            else:
                queue.leave(waiter)
            if isinstance(error, TimeoutError):
                raise TooBusy from None
            raise

    def _release(self) -> None:
        queues = (self._known, self._unknown) if self._known_is_next else (self._unknown, self._known)
        for queue in queues:
            waiter = queue.next()
            if waiter is not None:
                waiter.set_result(None)
                self._known_is_next = queue is self._unknown
                return
        self._free += 1


class _Queue:
    """Groups of requesters that take turns. At most `max_waiting` requests wait, and at most `max_of_network` of one client network."""

    def __init__(self, max_waiting: int, max_of_network: int) -> None:
        self._max_waiting = max_waiting
        self._max_of_network = max_of_network
        self._waiting: dict[asyncio.Future[None], Requester] = {}
        self._of_network = Counter[str]()
        """The number of waiting requests of each client network. One without waiting requests has no key."""
        self._of_group = Counter[str]()
        self._groups: OrderedDict[str, OrderedDict[str, deque[asyncio.Future[None]]]] = OrderedDict()
        """The waiters by group and requester. The first group has the next turn, and in each group the first requester."""

    def join(self, requester: Requester) -> asyncio.Future[None]:
        """Return the waiter of a request: a future that is done when the request has its turn. Raises TooBusy."""
        group = self._groups.get(requester.turn_group) or OrderedDict()
        length = len(group.get(requester.key, ()))
        if length >= requester.capacity or self._of_network[requester.network] >= self._max_of_network:
            raise TooBusy
        if len(self._waiting) >= self._max_waiting:
            self._make_room(requester)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._groups.setdefault(requester.turn_group, OrderedDict()).setdefault(requester.key, deque()).append(waiter)
        self._waiting[waiter] = requester
        self._of_network[requester.network] += 1
        self._of_group[requester.turn_group] += 1
        return waiter

    def _make_room(self, requester: Requester) -> None:
        """In the largest group, refuse the last request of the requester with the most requests.

        Raises TooBusy if that group is no larger than the group of this requester would be.
        """
        largest = max(self._groups, key=self._of_group.__getitem__)
        if self._of_group[largest] <= self._of_group[requester.turn_group] + 1:
            raise TooBusy
        longest = max(reversed(self._groups[largest].values()), key=len)
        refused = longest[-1]
        self.leave(refused)
        if not refused.done():
            refused.set_exception(TooBusy())

    def leave(self, waiter: asyncio.Future[None]) -> None:
        """Remove the waiter of a request that no longer waits. Does nothing if it was removed already."""
        requester = self._waiting.get(waiter)
        if requester is None:
            return
        self._remove(waiter)
        group = self._groups[requester.turn_group]
        group[requester.key].remove(waiter)
        if not group[requester.key]:
            del group[requester.key]
        if not group:
            del self._groups[requester.turn_group]

    def next(self) -> asyncio.Future[None] | None:
        """Remove and return the waiter of the request whose turn it is, or return None if no request waits.

        Its group has its next turn after all others, and its requester after the others of the group.
        """
        while self._groups:
            name, group = self._groups.popitem(last=False)
            key, waiting = group.popitem(last=False)
            waiter = waiting.popleft()
            self._remove(waiter)
            if waiting:
                group[key] = waiting
            if group:
                self._groups[name] = group
            if not waiter.done():  # else its request was cancelled and will call `leave`
                return waiter
        return None

    def _remove(self, waiter: asyncio.Future[None]) -> None:
        requester = self._waiting.pop(waiter)
        for counter, key in ((self._of_network, requester.network), (self._of_group, requester.turn_group)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]
