"""Faults that a test plans for the next calls, and calls that are held until the test releases them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

Answer = Callable[[httpx.Request], httpx.Response]
Fault = httpx.Response | Exception | Answer


def success(data: object, **more: object) -> httpx.Response:
    """Return Paystack's answer to a call that worked."""
    return httpx.Response(200, json={"status": True, "message": "ok", "data": data, **more})


def refusal(status: int, code: str, message: str = "no", **headers: str) -> httpx.Response:
    """Return Paystack's answer to a call that it refuses."""
    body = {"status": False, "message": message, "code": code, "type": "validation_error"}
    return httpx.Response(status, json=body, headers=headers)


def response(fault: Fault, request: httpx.Request) -> httpx.Response:
    """Return a fresh copy of the answer, or raise the error."""
    if isinstance(fault, Exception):
        raise fault
    if isinstance(fault, httpx.Response):
        if not fault.is_closed:
            return fault
        return httpx.Response(fault.status_code, headers=_own_headers(fault), content=fault.content)
    return fault(request)


def _own_headers(answer: httpx.Response) -> dict[str, str]:
    computed = {"content-length", "content-encoding", "transfer-encoding"}
    return {name: value for name, value in answer.headers.items() if name not in computed}


@dataclass
class Hold:
    """Calls that arrive and are not carried out until `release` is set."""

    operation: str
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _PlannedFault:
    fault: Fault
    operation: str | None
    reference: str | None
    times: int | None
    after_effect: bool


@dataclass
class Faults:
    """The planned faults. A call gets the first one that is for it."""

    planned: list[_PlannedFault] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    def add(
        self,
        *faults: Fault,
        operation: str | None = None,
        reference: str | None = None,
        times: int | None = 1,
        after_effect: bool = False,
    ) -> None:
        """Answer the next calls with these faults, each `times` times; None means until `clear`.

        `after_effect`: the call is carried out, and then the fault is its answer.
        """
        self.planned += [_PlannedFault(fault, operation, reference, times, after_effect) for fault in faults]

    def clear(self) -> None:
        self.planned.clear()

    def hold(self, operation: str) -> Hold:
        """Hold the calls of an operation before they are carried out."""
        hold = Hold(operation)
        self.holds.append(hold)
        return hold

    def take(self, operation: str, reference: str | None) -> _PlannedFault | None:
        """Return the planned fault for this call, if there is one."""
        for planned in self.planned:
            if planned.operation in {None, operation} and planned.reference in {None, reference}:
                if planned.times is not None:
                    planned.times -= 1
                    if planned.times == 0:
                        self.planned.remove(planned)
                return planned
        return None

    async def wait(self, operation: str) -> None:
        """Wait while calls of this operation are held."""
        for hold in list(self.holds):  # a hold that is added meanwhile is for later calls
            if hold.operation == operation:
                hold.arrived.set()
                await hold.release.wait()
