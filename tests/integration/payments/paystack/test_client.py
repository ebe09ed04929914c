"""The client of Paystack against the sandbox over real connections, with faults; and against answers that Paystack should not give."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from services.payments.paystack import transport
from services.payments.paystack.circuit_breaker import FAILURES
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import KeyRejected, NoAnswer, PaystackError, RateLimited, Refused
from services.payments.paystack.rate_limit import RateLimit
from services.payments.paystack.transactions import Initialized
from tests.fakes.paystack import Clock, FakePaystack, refusal
from tests.fakes.shutdown import OnClock
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.metrics import metric
from tests.fixtures.payments import paystack_client
from tests.fixtures.sandbox import sandbox_process


@pytest.fixture(scope="module")
async def merchant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Merchant]:
    async with sandbox_process(tmp_path_factory.mktemp("sandbox") / "sandbox.db") as process:
        yield process.merchant


@pytest.fixture
async def sandbox_client(merchant: Merchant) -> AsyncIterator[Paystack]:
    """A client of the sandbox, which has no faults ordered."""
    await merchant.http.delete("/sandbox/faults")
    async with paystack_client(url=str(merchant.http.base_url), key=KEY) as client:
        yield client


@contextmanager
def short_deadline(mode: str = "timeout") -> Iterator[None]:
    """Shorten the deadline of calls to a mode whose answer never comes; others may take their time on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        if mode.startswith("timeout"):
            patch.setattr(transport, "CALL_SECONDS", 0.3)
        yield


async def order_faults(merchant: Merchant, **faults: Any) -> None:
    assert (await merchant.http.put("/sandbox/faults", json=faults)).status_code == 200


async def initialize(client: Paystack, reference: str, amount: int = 250_000, currency: str = "NGN") -> Initialized:
    return await client.transactions.initialize(
        reference=reference,
        email="ada@example.com",
        amount=amount,
        currency=currency,
        callback_url="http://shop.test/back",
        metadata={"order_id": "7", "cancel_action": "http://shop.test/cart"},
    )


async def test_verify_before_and_after_the_payment_returns_its_charge(
    sandbox_client: Paystack, merchant: Merchant
) -> None:
    started = await initialize(sandbox_client, "pay-fair")
    assert started.authorization_url.endswith(started.access_code)
    unpaid = await sandbox_client.transactions.verify("pay-fair")
    assert unpaid is not None
    assert unpaid.status == "abandoned"
    await merchant.pay("pay-fair")
    paid = await sandbox_client.transactions.verify("pay-fair")
    assert paid is not None
    assert (paid.status, paid.amount, paid.currency, paid.domain) == ("success", 250_000, "NGN", "test")
    assert paid.paid_at is not None


async def test_verify_when_the_reference_is_unknown_returns_none(sandbox_client: Paystack) -> None:
    assert await sandbox_client.transactions.verify("pay-nobody") is None


@pytest.mark.parametrize("odd", ["a/b", "../x", "a b", "a?b=c", "%2e%2e", "#"])
async def test_verify_when_the_reference_looks_like_a_path_is_quoted(sandbox_client: Paystack, odd: str) -> None:
    assert await sandbox_client.transactions.verify(odd) is None


async def test_initialize_when_the_reference_is_used_raises_refused(sandbox_client: Paystack) -> None:
    await initialize(sandbox_client, "pay-twice")
    with pytest.raises(Refused) as refused:
        await initialize(sandbox_client, "pay-twice")
    assert (refused.value.status, refused.value.code) == (400, "duplicate_reference")


async def test_initialize_when_the_currency_is_not_enabled_raises_refused(sandbox_client: Paystack) -> None:
    with pytest.raises(Refused) as refused:
        await initialize(sandbox_client, "pay-yen", currency="JPY")
    assert refused.value.code == "unsupported_currency"
    assert refused.value.message


@pytest.mark.parametrize(
    ("mode", "error", "made"),
    [
        ("timeout_after_store", NoAnswer, True),
        ("timeout_before", NoAnswer, False),
        ("reset", NoAnswer, True),
        ("error_500", NoAnswer, False),
        ("html_200", NoAnswer, False),
        ("error_401", KeyRejected, False),
        ("rate_limited", RateLimited, False),
    ],
)
async def test_initialize_when_a_fault_occurs_raises_its_error_and_verify_returns_the_result(
    sandbox_client: Paystack, merchant: Merchant, mode: str, error: type[PaystackError], made: bool
) -> None:
    await order_faults(merchant, initialize={"mode": mode, "times": 1})
    with short_deadline(mode), pytest.raises(error):
        await initialize(sandbox_client, f"pay-{mode}")
    assert (await sandbox_client.transactions.verify(f"pay-{mode}") is not None) is made


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("timeout_before", NoAnswer),
        ("reset", NoAnswer),
        ("error_500", NoAnswer),
        ("html_200", NoAnswer),
        ("error_401", KeyRejected),
        ("rate_limited", RateLimited),
    ],
)
async def test_verify_when_a_fault_occurs_raises_its_error_without_the_key(
    sandbox_client: Paystack, merchant: Merchant, mode: str, error: type[PaystackError]
) -> None:
    await initialize(sandbox_client, f"pay-verify-{mode}")
    await order_faults(merchant, verify={"mode": mode, "times": 1})
    with short_deadline(mode), pytest.raises(error) as raised:
        await sandbox_client.transactions.verify(f"pay-verify-{mode}")
    assert KEY not in str(raised.value)
    assert await sandbox_client.transactions.verify(f"pay-verify-{mode}") is not None


async def test_call_when_the_key_is_wrong_raises_key_rejected(merchant: Merchant) -> None:
    async with paystack_client(url=str(merchant.http.base_url), key="sk_test_of_another_merchant") as client:
        with pytest.raises(KeyRejected):
            await client.transactions.verify("pay-nobody")


async def test_call_when_the_connection_is_refused_raises_no_answer() -> None:
    async with paystack_client(url="http://127.0.0.1:9") as client:
        with pytest.raises(NoAnswer):
            await client.transactions.verify("pay-nobody")


async def verify_with(answer: httpx.Response) -> object:
    """Return what the client makes of this answer to verify."""
    fake = FakePaystack()
    fake.fail(answer, times=None)
    async with paystack_client(fake) as client:
        return await client.transactions.verify("pay-1")


GOOD = {"reference": "pay-1", "status": "success", "amount": 5, "currency": "NGN", "domain": "test"}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200),
        httpx.Response(200, content=b"\xff\xfe"),
        httpx.Response(200, content=b"[" * 200_000),
        httpx.Response(200, content=b"9" * 5_000),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"status": True}),
        httpx.Response(200, json={"status": True, "data": None}),
        httpx.Response(200, json={"status": True, "data": []}),
        httpx.Response(200, json={"status": True, "data": {}}),
        httpx.Response(200, json={"status": True, "data": {**GOOD, "amount": None}}),
        httpx.Response(200, json={"status": True, "data": {**GOOD, "reference": "pay-2"}}),
        httpx.Response(200, content=b" " * (1024 * 1024) + json.dumps({"status": True, "data": GOOD}).encode()),
        httpx.Response(302, headers={"location": "http://elsewhere.test/"}),
        httpx.Response(502, html="<h1>Bad gateway</h1>"),
        httpx.Response(500, json={"status": True, "data": GOOD}),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.content[:40]!r}",
)
async def test_verify_when_the_answer_is_unusable_raises_no_answer(answer: httpx.Response) -> None:
    with pytest.raises(NoAnswer):
        await verify_with(answer)


@pytest.mark.parametrize(
    ("given", "seconds"), [("7", 7), ("100000", 600), ("", 60), ("soon", 60), ("-1", 60), ("9" * 5000, 600)]
)
async def test_call_when_it_is_rate_limited_says_for_how_long(given: str, seconds: int) -> None:
    with pytest.raises(RateLimited) as limited:
        await verify_with(httpx.Response(429, headers={"x-ratelimit-reset": given}))
    assert limited.value.retry_after == seconds


@pytest.mark.parametrize("status", [400, 404])
async def test_verify_when_the_transaction_is_not_found_with_either_status_returns_none(status: int) -> None:
    answer = httpx.Response(status, json={"status": False, "code": "transaction_not_found"})
    assert await verify_with(answer) is None


@pytest.mark.parametrize(
    "body", [{"status": False}, {"status": False, "code": None, "message": None}, {"status": "true", "data": GOOD}]
)
async def test_call_when_it_is_refused_without_a_reason_raises_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        await verify_with(httpx.Response(400, json=body))
    with pytest.raises(Refused):
        await verify_with(httpx.Response(200, json=body))


class Drip(httpx.AsyncByteStream):
    """An answer that never ends, and never pauses long enough for a read to time out."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)


async def test_call_when_the_answer_arrives_byte_by_byte_ends_at_its_deadline() -> None:
    async with asyncio.timeout(3):
        with short_deadline(), pytest.raises(NoAnswer):
            await verify_with(httpx.Response(200, stream=Drip()))


async def test_initialize_sends_the_key_and_integer_amounts(paystack: FakePaystack) -> None:
    async with paystack_client(paystack, key=KEY) as client:
        await initialize(client, "pay-1", 12_345, "GHS")
    (call,) = paystack.calls
    assert call.request.headers["authorization"] == f"Bearer {KEY}"
    assert (call.body["amount"], call.body["currency"], call.body["reference"]) == (12_345, "GHS", "pay-1")
    assert isinstance(call.body["amount"], int)


async def test_background_calls_when_the_key_is_rejected_wait_until_it_is_accepted(paystack: FakePaystack) -> None:
    clock = Clock()
    shutdown = OnClock(clock)
    paystack.fail(refusal(401, "invalid_Key", "Invalid key"))
    async with paystack_client(paystack, RateLimit(100, None, clock)) as client:
        with pytest.raises(KeyRejected):
            await client.transactions.verify("pay-1")
        assert metric("paystack_key_rejected") == 1
        began = clock.now
        assert await client.rate_limit.acquire("verify", shutdown)
        assert clock.now - began >= 20
        assert await client.transactions.verify("pay-1") is None
        assert metric("paystack_key_rejected") == 0
        assert not client.rate_limit.circuit_breaker.open


async def test_circuit_when_calls_fail_opens_and_any_answer_closes_it(paystack: FakePaystack) -> None:
    async with paystack_client(paystack, RateLimit(100, None, Clock())) as client:
        paystack.fail(httpx.Response(500, json={"status": False}), times=FAILURES)
        for _ in range(FAILURES):
            with pytest.raises(NoAnswer):
                await client.transactions.verify("pay-1")
        assert metric("paystack_circuit_open") == 1
        paystack.fail(httpx.Response(400, json={"status": False}))
        with pytest.raises(Refused):
            await client.transactions.verify("pay-1")
        assert not client.rate_limit.circuit_breaker.open
