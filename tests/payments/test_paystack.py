"""The client against the sandbox over real connections, in fair and foul weather; and against answers no Paystack should give."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.payments.paystack import transport as client_module
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import KeyRejected, NoAnswer, PaystackError, RateLimited, Refused
from services.payments.paystack.transactions import Initialized
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.sandbox import sandbox_process


@pytest.fixture(scope="module")
async def merchant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Merchant]:
    async with sandbox_process(tmp_path_factory.mktemp("sandbox") / "sandbox.db") as process:
        yield process.merchant


@pytest.fixture
async def paystack(merchant: Merchant) -> AsyncIterator[Paystack]:
    await merchant.http.delete("/sandbox/faults")
    found = Paystack(str(merchant.http.base_url), SecretStr(KEY))
    yield found
    await found.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CALL_SECONDS", 0.3)


async def weather(merchant: Merchant, **faults: Any) -> None:
    assert (await merchant.http.put("/sandbox/faults", json=faults)).status_code == 200


async def initialize(paystack: Paystack, reference: str, amount: int = 250_000, currency: str = "NGN") -> Initialized:
    return await paystack.transactions.initialize(
        reference=reference,
        email="ada@example.com",
        amount=amount,
        currency=currency,
        callback_url="http://shop.test/back",
        metadata={"order_id": "7", "cancel_action": "http://shop.test/cart"},
    )


async def test_from_start_to_payment(paystack: Paystack, merchant: Merchant) -> None:
    started = await initialize(paystack, "pay-fair")
    assert started.authorization_url.endswith(started.access_code)
    unpaid = await paystack.transactions.verify("pay-fair")
    assert unpaid is not None
    assert unpaid.status == "abandoned"
    await merchant.pay("pay-fair")
    paid = await paystack.transactions.verify("pay-fair")
    assert paid is not None
    assert (paid.status, paid.amount, paid.currency, paid.domain) == ("success", 250_000, "NGN", "test")
    assert paid.paid_at is not None


async def test_a_reference_of_nobody(paystack: Paystack) -> None:
    assert await paystack.transactions.verify("pay-nobody") is None


@pytest.mark.parametrize("odd", ["a/b", "../x", "a b", "a?b=c", "%2e%2e", "#"])
async def test_a_reference_is_never_a_path(paystack: Paystack, odd: str) -> None:
    assert await paystack.transactions.verify(odd) is None


async def test_a_reference_twice(paystack: Paystack) -> None:
    await initialize(paystack, "pay-twice")
    with pytest.raises(Refused) as refused:
        await initialize(paystack, "pay-twice")
    assert (refused.value.status, refused.value.code) == (400, "duplicate_reference")


async def test_a_currency_that_is_not_enabled(paystack: Paystack) -> None:
    with pytest.raises(Refused) as refused:
        await initialize(paystack, "pay-yen", currency="JPY")
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
async def test_foul_weather_at_initialize(
    paystack: Paystack, merchant: Merchant, impatient: None, mode: str, error: type[PaystackError], made: bool
) -> None:
    await weather(merchant, initialize={"mode": mode, "times": 1})
    with pytest.raises(error):
        await initialize(paystack, f"pay-{mode}")
    # What happened is not known from the answer; looking it up tells.
    assert (await paystack.transactions.verify(f"pay-{mode}") is not None) is made


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
async def test_foul_weather_at_verify(
    paystack: Paystack, merchant: Merchant, impatient: None, mode: str, error: type[PaystackError]
) -> None:
    await initialize(paystack, f"pay-verify-{mode}")
    await weather(merchant, verify={"mode": mode, "times": 1})
    with pytest.raises(error) as raised:
        await paystack.transactions.verify(f"pay-verify-{mode}")
    assert KEY not in str(raised.value)
    assert await paystack.transactions.verify(f"pay-verify-{mode}") is not None


async def test_a_wrong_key(merchant: Merchant) -> None:
    paystack = Paystack(str(merchant.http.base_url), SecretStr("sk_test_of_somebody_else"))
    with pytest.raises(KeyRejected):
        await paystack.transactions.verify("pay-nobody")
    await paystack.close()


async def test_nobody_is_there() -> None:
    paystack = Paystack("http://127.0.0.1:9", SecretStr(KEY))
    with pytest.raises(NoAnswer):
        await paystack.transactions.verify("pay-nobody")
    await paystack.close()


async def ask(answer: httpx.Response) -> object:
    """What the client makes of this answer to verify."""
    paystack = Paystack("http://paystack.test", SecretStr(KEY), httpx.MockTransport(lambda _: answer))
    try:
        return await paystack.transactions.verify("pay-1")
    finally:
        await paystack.close()


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
async def test_answers_that_tell_nothing(answer: httpx.Response) -> None:
    with pytest.raises(NoAnswer):
        await ask(answer)


@pytest.mark.parametrize(
    ("given", "waited"), [("7", 7), ("100000", 600), ("", 60), ("soon", 60), ("-1", 60), ("9" * 5000, 600)]
)
async def test_how_long_a_rate_limit_lasts(given: str, waited: int) -> None:
    with pytest.raises(RateLimited) as limited:
        await ask(httpx.Response(429, headers={"x-ratelimit-reset": given}))
    assert limited.value.retry_after == waited


@pytest.mark.parametrize("status", [400, 404])
async def test_unknown_is_said_with_either_number(status: int) -> None:
    assert await ask(httpx.Response(status, json={"status": False, "code": "transaction_not_found"})) is None


@pytest.mark.parametrize(
    "body", [{"status": False}, {"status": False, "code": None, "message": None}, {"status": "true", "data": GOOD}]
)
async def test_refusals_without_reasons(body: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        await ask(httpx.Response(400, json=body))
    with pytest.raises(Refused):
        await ask(httpx.Response(200, json=body))


class Drip(httpx.AsyncByteStream):
    """An answer that never ends and never pauses long enough for a read to time out."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)


async def test_an_answer_that_drips_has_a_deadline(impatient: None) -> None:
    async with asyncio.timeout(3):
        with pytest.raises(NoAnswer):
            await ask(httpx.Response(200, stream=Drip()))


async def test_what_is_sent(tmp_path: Path) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(
            200,
            json={"status": True, "data": {"authorization_url": "u", "access_code": "c", "reference": "pay-1"}},
        )

    paystack = Paystack("http://paystack.test", SecretStr(KEY), httpx.MockTransport(answer))
    await initialize(paystack, "pay-1", 12_345, "GHS")
    await paystack.close()
    (request,) = sent
    assert request.headers["authorization"] == f"Bearer {KEY}"
    body = json.loads(request.content)
    assert (body["amount"], body["currency"], body["reference"]) == (12_345, "GHS", "pay-1")
    assert "amount" in body
    assert isinstance(body["amount"], int)
