"""Requests to start a payment: which are accepted, which are refused, and what Paystack is sent of them."""

from typing import Any

import httpx
import pytest

from kit.settings import load_settings
from services.payments import schemas
from services.payments.settings import PaymentsSettings
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack
from tests.fixtures.payments_rows import all_payments
from tests.fixtures.payments_start import ORDER, start
from tests.fixtures.tokens import Signer

pytestmark = pytest.mark.usefixtures("order")


async def test_start_when_the_caller_may_not_pay_is_refused(
    client: httpx.AsyncClient, signer: Signer, catalog: FakeCatalog
) -> None:
    assert (await start(client, {})).status_code == 401
    assert (await start(client, signer.headers(scopes=frozenset({"orders:write"})))).status_code == 403
    unknown = await start(client, signer.headers(email=None))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "payer_unknown")
    assert catalog.calls == []


async def test_start_when_a_guest_pays_takes_the_address_of_the_request(
    client: httpx.AsyncClient, signer: Signer, paystack: FakePaystack, catalog: FakeCatalog
) -> None:
    guest = signer.headers("customer-1", email=None)
    started = await start(client, guest, email="guest@exämple.com")
    assert started.status_code == 201, started.text
    assert paystack.bodies_of("initialize")[-1]["email"] == "guest@xn--exmple-cua.com"
    assert [payment.email for payment in await all_payments()] == ["guest@exämple.com"]


async def test_start_when_the_token_has_an_address_ignores_that_of_the_request(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    assert (await start(client, customer, email="other@example.com")).status_code == 201
    assert paystack.bodies_of("initialize")[-1]["email"] == "payer@example.com"


@pytest.mark.parametrize(
    "body",
    [
        {"order_id": "7"},
        {"email": "guest"},
        {"email": "gu est@example.com"},
        {"email": f"{'g' * 200}@example.com"},
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
    client: httpx.AsyncClient, customer: dict[str, str], catalog: FakeCatalog, body: dict[str, Any]
) -> None:
    answer = await start(client, customer, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert catalog.calls == []


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "é"])
async def test_start_when_the_idempotency_key_is_invalid_answers_422(
    client: httpx.AsyncClient, customer: dict[str, str], key: str
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in customer.items()]
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
    customer: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    origins: str,
    url: str,
    status: int,
) -> None:
    monkeypatch.setenv("PAYMENTS_CALLBACK_ORIGINS", origins)
    monkeypatch.setattr(schemas, "settings", load_settings(PaymentsSettings))
    for field in ("callback_url", "cancel_url"):
        answer = await start(client, customer, **{field: url})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("wrong", ["shop.test", "https://shop.test/cart", "https://shop.test,null"])
def test_callback_origins_that_are_no_origins_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("PAYMENTS_CALLBACK_ORIGINS", wrong)
    with pytest.raises(SystemExit, match=r"PAYMENTS_CALLBACK_ORIGINS: .*https://shop\.example"):
        load_settings(PaymentsSettings)


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
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, cancel_url: str | None, sent: str
) -> None:
    answer = await start(client, customer, cancel_url=cancel_url)
    assert answer.status_code == 201, answer.text
    (body,) = paystack.bodies_of("initialize")
    assert body["metadata"]["cancel_action"] == sent.format(answer.json()["reference"])


async def test_start_sends_an_email_address_in_ascii(
    client: httpx.AsyncClient, signer: Signer, paystack: FakePaystack
) -> None:
    headers = signer.headers("customer-1", email="ada@b\u00fccher.example")
    assert (await start(client, headers)).status_code == 201
    assert paystack.bodies_of("initialize")[0]["email"] == "ada@xn--bcher-kva.example"
    assert (await all_payments())[0].email == "ada@b\u00fccher.example"
