"""Starting a payment: one request, one payment; a reference is stored before Paystack receives it and is never sent twice."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from kit.settings import load_settings
from services.payments import schemas
from services.payments.checkout.start import MAX_PENDING
from services.payments.clients import Clients
from services.payments.settings import PaymentsSettings
from tests.factories.payments import create_card, create_payment
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack, refusal
from tests.fixtures.apps import RunningApp
from tests.fixtures.payments_rows import all_payments
from tests.fixtures.tokens import Signer

ORDER = str(uuid4())


@pytest.fixture(autouse=True)
def order(catalog: FakeCatalog) -> None:
    catalog.add_order(ORDER)


async def start(
    client: httpx.AsyncClient, headers: dict[str, str], key: str | None = None, **body: Any
) -> httpx.Response:
    more = {"Idempotency-Key": key} if key else {}
    return await client.post("/payments", json={"order_id": ORDER, **body}, headers={**headers, **more})


async def test_start_when_the_order_is_pending_returns_the_checkout_page(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: FakeCatalog, paystack: FakePaystack
) -> None:
    answer = await start(client, payer, callback_url="https://shop.test/thanks", phone="+2348012345678")
    assert answer.status_code == 201
    view = answer.json()
    assert (view["status"], view["amount"], view["currency"]) == ("pending", 50_000, "NGN")
    assert view["authorization_url"] == f"https://pay.test/{view['reference']}"
    (asked,) = catalog.calls
    assert asked.headers["authorization"] == payer["Authorization"]
    assert asked.headers["x-request-id"] == answer.headers["x-request-id"]
    (sent,) = paystack.bodies_of("initialize")
    assert (sent["reference"], sent["amount"], sent["currency"]) == (view["reference"], 50_000, "NGN")
    assert (sent["email"], sent["metadata"]["order_id"]) == ("payer@example.com", ORDER)
    assert sent["callback_url"] == "http://payments.test/payments/callback"
    (stored,) = await all_payments()
    assert (stored.payer_id, stored.phone, stored.callback_url) == (
        "payer-1",
        "+2348012345678",
        "https://shop.test/thanks",
    )


async def test_start_when_paystack_is_called_has_its_reference_stored(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack
) -> None:
    held = paystack.hold("initialize")
    starting = asyncio.create_task(start(client, payer))
    await asyncio.wait_for(held.arrived.wait(), 5)
    stored = [one.reference for one in await all_payments()]
    held.release.set()
    assert stored == [(await starting).json()["reference"]]


@pytest.mark.parametrize(
    "first",
    [
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(200, html="<h1>"),
        refusal(400, "duplicate_reference"),
    ],
    ids=str,
)
async def test_start_when_initialize_is_lost_tries_again_under_a_new_reference(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack, first: Any
) -> None:
    paystack.fail(first, operation="initialize")
    answer = await start(client, payer)
    assert answer.status_code == 201
    sent = [body["reference"] for body in paystack.bodies_of("initialize")]
    assert len(set(sent)) == 2
    given_up, kept = await all_payments()
    assert (given_up.reference, given_up.status) == (sent[0], "abandoned")
    assert (kept.reference, kept.status) == (answer.json()["reference"], "pending")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (httpx.ReadTimeout("slow"), 503, "paystack_unavailable"),
        (refusal(401, "invalid_Key"), 503, "paystack_unavailable"),
        (httpx.Response(429, json={}), 503, "paystack_unavailable"),
        (refusal(400, "unsupported_currency"), 422, "payment_refused"),
    ],
    ids=str,
)
async def test_start_when_paystack_fails_leaves_no_open_payment(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack, fault: Any, status: int, code: str
) -> None:
    paystack.fail(fault, times=None)
    answer = await start(client, payer, "k-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert {one.status for one in await all_payments()} == {"abandoned"}
    # Nothing was started under the key, so it is free again.
    paystack.recover()
    assert (await start(client, payer, "k-1")).status_code == 201


@pytest.mark.parametrize("status", ["succeeded", "held", "partially_refunded", "disputed"])
async def test_start_when_the_order_was_paid_answers_409(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack, status: str
) -> None:
    """catalog may not have received the event yet: the broker may be down."""
    paid = await create_payment(order_id=UUID(ORDER), status=status, paid_amount=50_000, paid_currency="NGN")
    answer = await start(client, payer)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")
    assert answer.json()["reference"] == paid.reference
    assert paystack.calls == []


async def test_start_when_the_money_of_the_order_went_back_starts_another_payment(
    client: httpx.AsyncClient, payer: dict[str, str]
) -> None:
    await create_payment(order_id=UUID(ORDER), status="refunded", paid_amount=49_000, refunded_amount=49_000)
    assert (await start(client, payer)).status_code == 201


async def test_start_when_the_key_is_repeated_returns_the_same_payment(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack
) -> None:
    first = await start(client, payer, "k-1")
    again = await start(client, payer, "k-1")
    assert (again.status_code, again.json()) == (201, first.json())
    other = await start(client, payer, "k-1", phone="+2348012345678")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await all_payments()) == len(paystack.calls) == 1


async def test_start_when_the_key_arrives_twenty_times_at_once_starts_one_payment(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack
) -> None:
    answers = await asyncio.gather(*(start(client, payer, "k-1") for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["reference"] for answer in answers if answer.status_code == 201}) == 1
    assert len(await all_payments()) == len(paystack.calls) == 1


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        (httpx.Response(404), 404, "order_not_found"),
        (httpx.Response(401), 401, "not_authenticated"),
        (httpx.Response(403), 403, "not_allowed"),
        (httpx.Response(500), 503, "catalog_unavailable"),
        (httpx.Response(200, content=b"{"), 503, "catalog_unavailable"),
        (httpx.Response(200, json={"id": ORDER}), 503, "catalog_unavailable"),
        (httpx.ConnectError("away"), 503, "catalog_unavailable"),
        (httpx.ReadTimeout("slow"), 503, "catalog_unavailable"),
        (
            httpx.Response(200, json={"id": ORDER, "status": "paid", "amount": 5, "currency": "NGN"}),
            409,
            "order_not_payable",
        ),
    ],
    ids=str,
)
async def test_start_when_catalog_does_not_return_a_payable_order_starts_nothing(
    client: httpx.AsyncClient,
    payer: dict[str, str],
    catalog: FakeCatalog,
    paystack: FakePaystack,
    given: Any,
    status: int,
    code: str,
) -> None:
    catalog.answer = given
    answer = await start(client, payer, "k-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await all_payments() == []
    assert paystack.calls == []


async def test_start_when_the_caller_may_not_pay_is_refused(
    client: httpx.AsyncClient, signer: Signer, catalog: FakeCatalog
) -> None:
    assert (await start(client, {})).status_code == 401
    assert (await start(client, signer.headers(scopes=frozenset({"orders:write"})))).status_code == 403
    unknown = await start(client, signer.headers(email=None))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "payer_unknown")
    assert catalog.calls == []


@pytest.mark.parametrize(
    "body",
    [
        {"order_id": "7"},
        {"order_id": None},
        {"amount": 1},
        {"callback_url": "javascript:alert(1)"},
        {"callback_url": "/relative"},
        {"callback_url": "https://user:pass@shop.test/"},
        {"callback_url": "https://shop.test/\r\nSet-Cookie: a=b"},
        {"callback_url": "https://"},
        {"callback_url": "https://[::1"},
        {"callback_url": "h" * 3000},
        {"cancel_url": 5},
        {"phone": "call me"},
        {"phone": "+" + "1" * 30},
    ],
    ids=str,
)
async def test_start_when_the_request_is_invalid_answers_422(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: FakeCatalog, body: dict[str, Any]
) -> None:
    answer = await start(client, payer, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert catalog.calls == []


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "é"])
async def test_start_when_the_idempotency_key_is_invalid_answers_422(
    client: httpx.AsyncClient, payer: dict[str, str], key: str
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in payer.items()]
    answer = await client.post(
        "/payments", json={"order_id": ORDER}, headers=[*headers, (b"Idempotency-Key", key.encode())]
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("origins", "url", "status"),
    [
        ("", "http://payments.test/thanks", 201),
        ("", "HTTP://Payments.Test:80/thanks", 201),
        ("", "https://payments.test/thanks", 422),
        ("", "https://shop.test/thanks", 422),
        ("https://shop.test", "https://SHOP.test:443/thanks", 201),
        ("https://shop.test", "https://shop.test:444/thanks", 422),
        ("https://shop.test", "https://shop.test.evil.test/", 422),
        ("https://shop.test", "http://payments.test/thanks", 422),
        ("https://other.test/, https://Shop.test:443", "https://shop.test/thanks", 201),
        ("*", "http://localhost:3000/thanks", 201),
    ],
)
async def test_start_redirects_to_allowed_origins_only(
    client: httpx.AsyncClient,
    payer: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    origins: str,
    url: str,
    status: int,
) -> None:
    monkeypatch.setenv("PAYMENTS_CALLBACK_ORIGINS", origins)
    monkeypatch.setattr(schemas, "settings", load_settings(PaymentsSettings))
    for field in ("callback_url", "cancel_url"):
        answer = await start(client, payer, **{field: url})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("wrong", ["shop.test", "https://shop.test/cart", "https://shop.test,null"])
def test_callback_origins_that_are_no_origins_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("PAYMENTS_CALLBACK_ORIGINS", wrong)
    with pytest.raises(SystemExit, match=r"PAYMENTS_CALLBACK_ORIGINS: .*https://shop\.example"):
        load_settings(PaymentsSettings)


async def test_start_when_sixty_requests_arrive_at_once_keeps_the_limit_of_pending_payments(
    client: httpx.AsyncClient, payer: dict[str, str]
) -> None:
    answers = await asyncio.gather(*(start(client, payer) for _ in range(60)))
    assert Counter(answer.status_code for answer in answers) == {201: MAX_PENDING, 409: 60 - MAX_PENDING}
    assert len(await all_payments()) == MAX_PENDING


@pytest.mark.parametrize("path", ["/payments", "/payments/charge"])
async def test_start_when_no_secret_key_is_configured_stores_no_payment(
    client: httpx.AsyncClient, payer: dict[str, str], payments: RunningApp, clients: Clients, path: str
) -> None:
    payments.state["clients"] = replace(clients, configured_paystack=None)
    body = {"order_id": ORDER} | ({"card_id": str(uuid4())} if path.endswith("charge") else {})
    answer = await client.post(path, json=body, headers={**payer, "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_configured")
    assert await all_payments() == []


@pytest.mark.parametrize(
    ("amount", "currency", "rule"),
    [
        (4_999, "NGN", "the smallest payment in NGN is NGN 50.00"),
        (150_050, "XOF", "XOF has no fractions"),
        (100, "XOF", None),
        (5_000, "NGN", None),
    ],
)
@pytest.mark.parametrize("saved_card", [False, True])
async def test_start_when_paystack_does_not_accept_the_amount_then_it_is_refused_and_nothing_is_sent(
    client: httpx.AsyncClient,
    payer: dict[str, str],
    catalog: FakeCatalog,
    paystack: FakePaystack,
    amount: int,
    currency: str,
    rule: str | None,
    saved_card: bool,
) -> None:
    catalog.add_order(ORDER, amount=amount, currency=currency)
    path, body = "/payments", {"order_id": ORDER}
    if saved_card:
        path, body["card_id"] = "/payments/charge", str((await create_card()).id)
    answer = await client.post(path, json=body, headers={**payer, "Idempotency-Key": uuid4().hex})
    if rule is None:
        assert answer.status_code == 201
        return
    assert (answer.status_code, answer.json()["code"]) == (422, "amount_not_payable")
    assert rule in answer.json()["detail"]
    assert not paystack.calls
    assert not await all_payments()


async def test_start_when_paystack_refuses_the_currency_then_the_detail_states_the_rule(
    client: httpx.AsyncClient, payer: dict[str, str], catalog: FakeCatalog, paystack: FakePaystack
) -> None:
    catalog.add_order(ORDER, amount=200, currency="USD")
    paystack.fail(refusal(400, "unsupported_currency", "Currency not supported by merchant"), operation="initialize")
    answer = await start(client, payer)
    assert (answer.status_code, answer.json()["code"]) == (422, "payment_refused")
    assert (
        "Currency not supported by merchant (USD can be accepted by Paystack accounts in Kenya and Nigeria"
        in (answer.json()["detail"])
    )


@pytest.mark.parametrize(
    ("cancel_url", "sent"),
    [
        ("https://shop.test/cart?a=%20b&a=c%2f;=", "https://shop.test/cart?a=%20b&a=c%2f;=&reference={}"),
        ("HTTPS://Shop.test:443/cart", "HTTPS://Shop.test:443/cart?reference={}"),
        ("https://shop.test/cart?#top?x=1", "https://shop.test/cart?reference={}#top?x=1"),
        (None, "http://payments.test/payments/callback?reference={}"),
    ],
)
async def test_start_sends_the_cancel_url_byte_for_byte_with_our_reference(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack, cancel_url: str | None, sent: str
) -> None:
    answer = await start(client, payer, cancel_url=cancel_url)
    assert answer.status_code == 201, answer.text
    (body,) = paystack.bodies_of("initialize")
    assert body["metadata"]["cancel_action"] == sent.format(answer.json()["reference"])


@pytest.mark.parametrize("message", ["\ud800", "a\x00b", "\n" * 600, "\U0001f4a5" * 600, 5, None, {"a": 1}], ids=repr)
async def test_start_when_paystack_refuses_with_any_text_answers_a_problem(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack, message: object
) -> None:
    body = json.dumps({"status": False, "message": message, "code": message})
    paystack.fail(httpx.Response(400, content=body), operation="initialize")
    answer = await start(client, payer)
    assert (answer.status_code, answer.json()["code"]) == (422, "payment_refused"), answer.text
    (stored,) = await all_payments()
    assert stored.status == "abandoned"


@pytest.mark.parametrize("field", ["authorization_url", "access_code"])
@pytest.mark.parametrize("value", ["\ud800", "a\x00b", "", "x" * 3000, "https://pay.test/\u00e9", 5, None], ids=repr)
async def test_start_when_paystacks_page_is_unusable_is_tried_again(
    client: httpx.AsyncClient, payer: dict[str, str], paystack: FakePaystack, field: str, value: object
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        reference = json.loads(request.content)["reference"]
        data = {"authorization_url": "https://pay.test/x", "access_code": "x", "reference": reference, field: value}
        return httpx.Response(200, content=json.dumps({"status": True, "message": "ok", "data": data}))

    paystack.fail(answer, operation="initialize")
    started = await start(client, payer)
    assert started.status_code == 201, started.text
    assert [payment.status for payment in await all_payments()] == ["abandoned", "pending"]


async def test_start_sends_an_email_address_in_ascii(
    client: httpx.AsyncClient, signer: Signer, paystack: FakePaystack
) -> None:
    headers = signer.headers("payer-1", email="ada@b\u00fccher.example")
    assert (await start(client, headers)).status_code == 201
    assert paystack.bodies_of("initialize")[0]["email"] == "ada@xn--bcher-kva.example"
    assert (await all_payments())[0].email == "ada@b\u00fccher.example"
