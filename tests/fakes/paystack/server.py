"""The fake's HTTP side: an httpx transport that records calls, answers them, and fails as a test plans."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx

from tests.fakes.paystack import bodies
from tests.fakes.paystack.bodies import SECRET_KEY, Json
from tests.fakes.paystack.endpoints import Endpoints
from tests.fakes.paystack.faults import Fault, Faults, Hold, response
from tests.fakes.paystack.rate_limits import RateLimits, too_many


@dataclass(frozen=True)
class Call:
    """A call that arrived. `body` holds the query parameters of a GET."""

    operation: str
    method: str
    path: str
    body: Json
    request: httpx.Request

    @property
    def reference(self) -> str | None:
        """The reference of the transaction that the call is about, where it names one."""
        if self.operation == "verify":
            return unquote(self.path.rpartition("/")[2])
        found = self.body.get("reference") or self.body.get("transaction")
        return found if isinstance(found, str) else None


@dataclass(frozen=True)
class SignedWebhook:
    """A webhook as it arrives at the merchant."""

    body: bytes
    headers: dict[str, str]


@dataclass
class FakePaystack(Endpoints, httpx.AsyncBaseTransport):
    """One integration. Use it as the transport of a client of Paystack.

    `before_call` and `after_call` run around each call that is carried out, and may raise.
    """

    secret_key: str = SECRET_KEY
    rate_limits: RateLimits | None = None
    calls: list[Call] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    before_call: Callable[[], None] = lambda: None
    after_call: Callable[[], None] = lambda: None

    # What tests ask and plan.

    def calls_to(self, *operations: str) -> list[Call]:
        """Return the calls of these operations, such as `verify` or `refund`, in order."""
        return [call for call in self.calls if call.operation in operations]

    def bodies_of(self, operation: str) -> list[Json]:
        return [call.body for call in self.calls_to(operation)]

    def verified(self) -> list[str | None]:
        """Return the references that verify was asked about, in order."""
        return [call.reference for call in self.calls_to("verify")]

    def fail(
        self,
        *faults: Fault,
        operation: str | None = None,
        reference: str | None = None,
        times: int | None = 1,
        after_effect: bool = False,
    ) -> None:
        """Plan faults for the next calls; see Faults.add."""
        self.faults.add(*faults, operation=operation, reference=reference, times=times, after_effect=after_effect)

    def lose_answers(self, operation: str | None = None, times: int | None = 1) -> None:
        """Carry out the next calls, and lose their answers."""
        self.fail(httpx.ReadTimeout("the answer was lost"), operation=operation, times=times, after_effect=True)

    def go_down(self) -> None:
        """Answer nothing until `recover`."""
        self.fail(httpx.ConnectError("down"), times=None)

    def recover(self) -> None:
        """Forget all planned faults."""
        self.faults.clear()

    def hold(self, operation: str) -> Hold:
        """Hold the calls of an operation until the test releases them."""
        return self.faults.hold(operation)

    def take_webhooks(self) -> list[SignedWebhook]:
        """Return the undelivered webhooks, signed; they are delivered then."""
        taken, self.undelivered = self.undelivered, []
        return [self.signed(webhook) for webhook in taken]

    def signed(self, webhook: Json) -> SignedWebhook:
        """Return a webhook with its signature."""
        body = bodies.webhook_body(webhook)
        return SignedWebhook(body, {"x-paystack-signature": bodies.sign(body, self.secret_key)})

    # HTTP.

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw = await request.aread()
        body = json.loads(raw) if raw else dict(request.url.params)
        path = request.url.raw_path.decode().partition("?")[0]
        parts = [unquote(part) for part in path.strip("/").split("/")]
        operation, answer = self.route(request.method, parts, body)
        call = Call(operation, request.method, path, body, request)
        headers: dict[str, str] = {}
        if self.rate_limits is not None:
            allowed, headers = self.rate_limits.count(operation)
            if not allowed:
                return too_many(headers)
        self.calls.append(call)
        await self.faults.wait(operation)
        found = self._carry_out(call, answer)
        found.headers.update(headers)
        found.request = request
        return found

    def _carry_out(self, call: Call, answer: Callable[[], httpx.Response]) -> httpx.Response:
        planned = self.faults.take(call.operation, call.reference)
        if planned is not None and not planned.after_effect:
            return response(planned.fault, call.request)
        self.before_call()
        found = answer()
        self.after_call()
        return found if planned is None else response(planned.fault, call.request)
