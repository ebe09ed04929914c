"""A fair queue for a few threads: addresses take turns, so one address with many requests does not keep the others waiting.

Requests from known devices and requests from unknown ones have separate queues, which take turns too. In each queue, lanes take turns: the
requests of one account from its known devices, or the requests of one address from unknown devices.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect

from services.auth.errors import TooBusy
from services.auth.metrics import hashes_waiting

MAX_WAITING_PER_LANE = 8
MAX_WAITING_REGISTRATIONS = 60
"""Of one address: as many as its bucket of registrations has (throttling/address_buckets.py)."""

MAX_WAITING_KNOWN_OF_ADDRESS = 16
"""Requests of one address from known devices, of all accounts: a person with many accounts must not take the places and turns of others."""

MAX_WAITING = 250
"""In each of the two queues. Both together are half of the requests that a process works on (kit/http/request_limit.py)."""

MAX_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Lane:
    """Requests that are served in the sequence of their arrival and take turns with other lanes.

    At most `capacity` of them wait; further ones are refused.
    """

    key: str
    known: bool
    address: str = ""
    """Where the request comes from. Empty if no client has requested it."""
    capacity: int = MAX_WAITING_PER_LANE

    @classmethod
    def of_account(cls, account_id: object, address: str) -> "Lane":
        """Return the lane of an account for its known devices and logged-in owner, and for a request of this address."""
        return cls(f"account {account_id}", known=True, address=address)

    @classmethod
    def of_address(cls, address: str) -> "Lane":
        """Return the lane of the logins of an address from unknown devices."""
        return cls(f"logins {address}", known=False, address=address)

    @classmethod
    def of_registrations(cls, address: str) -> "Lane":
        """Return the lane of the registrations of an address. Registrations come in bursts, for example after an advertisement."""
        return cls(f"registrations {address}", known=False, address=address, capacity=MAX_WAITING_REGISTRATIONS)


OWN_LANE = Lane("auth itself", known=True)
"""The lane of hashes that no client has requested."""


async def still_connected() -> bool:
    """Return False: there is no client that could have disconnected."""
    return False


class HashQueue:
    """Gives each of `slots` slots to one request at a time."""

    def __init__(self, slots: int, max_waiting: int = MAX_WAITING, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._free = slots
        self._max_wait_seconds = max_wait_seconds
        self._known = _Queue(max_waiting, MAX_WAITING_KNOWN_OF_ADDRESS)
        self._unknown = _Queue(max_waiting, max_waiting)  # its lanes belong to addresses
        self._known_is_next = True

    @asynccontextmanager
    async def slot(
        self, lane: Lane, disconnected: Callable[[], Awaitable[bool]] = still_connected
    ) -> AsyncIterator[None]:
        """Hold a slot during the `with` block.

        Raises TooBusy if too many requests wait, or if this one waited MAX_WAIT_SECONDS; ClientDisconnect if its client is gone by then.
        """
        await self._acquire(lane)
        try:
            if await disconnected():
                raise ClientDisconnect
            yield
        finally:
            self._release()

    async def _acquire(self, lane: Lane) -> None:
        if self._free:  # then no request waits
            self._free -= 1
            return
        queue = self._known if lane.known else self._unknown
        turn = queue.join(lane)
        try:
            with hashes_waiting.track_inprogress():
                async with asyncio.timeout(self._max_wait_seconds):
                    await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._release()  # the slot was given at the same moment
            else:
                queue.leave(lane, turn)
            if isinstance(error, TimeoutError):
                raise TooBusy from None
            raise

    def _release(self) -> None:
        queues = (self._known, self._unknown) if self._known_is_next else (self._unknown, self._known)
        for queue in queues:
            turn = queue.next()
            if turn is not None:
                turn.set_result(None)
                self._known_is_next = queue is self._unknown
                return
        self._free += 1


class _Queue:
    """Lanes that take turns. At most `max_waiting` requests wait in them, and at most `max_of_address` of one address."""

    def __init__(self, max_waiting: int, max_of_address: int) -> None:
        self._waiting: dict[asyncio.Future[None], str] = {}
        """The addresses of the waiting requests."""
        self._max_waiting = max_waiting
        self._max_of_address = max_of_address
        self._lanes: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """The lanes that have waiting requests, the one whose turn is next first."""

    def join(self, lane: Lane) -> asyncio.Future[None]:
        """Return a future that is done when the request has its turn. Raises TooBusy.

        If the queue is full, the last request of the longest lane is refused instead, unless that lane is no longer than this one.
        """
        length = len(self._lanes.get(lane.key, ()))
        of_address = sum(address == lane.address for address in self._waiting.values())
        if length >= lane.capacity or of_address >= self._max_of_address:
            raise TooBusy
        if len(self._waiting) >= self._max_waiting:
            longest = max(self._lanes.values(), key=len)
            if len(longest) <= length + 1:
                raise TooBusy
            refused = longest.pop()  # the lane had at least two
            del self._waiting[refused]
            if not refused.done():
                refused.set_exception(TooBusy())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(lane.key, deque()).append(turn)
        self._waiting[turn] = lane.address
        return turn

    def leave(self, lane: Lane, turn: asyncio.Future[None]) -> None:
        """Remove a request that no longer waits. Does nothing if it was removed already."""
        waiting = self._lanes.get(lane.key)
        if waiting is None:
            return
        with suppress(ValueError):
            waiting.remove(turn)
            del self._waiting[turn]
        if not waiting:
            del self._lanes[lane.key]

    def next(self) -> asyncio.Future[None] | None:
        """Remove and return the request whose turn it is, or return None if no request waits.

        Its lane has its next turn after all others.
        """
        while self._lanes:
            key, waiting = self._lanes.popitem(last=False)
            turn = waiting.popleft()
            del self._waiting[turn]
            if waiting:
                self._lanes[key] = waiting
            if not turn.done():  # else its request was cancelled and will call `leave`
                return turn
        return None
