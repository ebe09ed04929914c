"""Starting a payment when Paystack or catalog fails or refuses: no payment stays open, and the payer learns what to do."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.payments.clients import Clients
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack, refusal
from tests.fixtures.apps import RunningApp
from tests.fixtures.payments_requests import charge_card, save_card
from tests.fixtures.payments_rows import all_payments
from tests.fixtures.payments_start import ORDER, start
from tests.fixtures.tokens import ADMIN, Signer

pytestmark = pytest.mark.usefixtures("order")


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
async def test_start_when_initialize_fails_once_tries_again_under_a_new_reference(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, first: Any
) -> None:
    paystack.fail(first, operation="initialize")
    answer = await start(client, customer)
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
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, fault: Any, status: int, code: str
) -> None:
    paystack.fail(fault, times=None)
    answer = await start(client, customer, "k-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert {one.status for one in await all_payments()} == {"abandoned"}
    # Nothing was started under the key, so it is free again.
    paystack.recover()
    assert (await start(client, customer, "k-1")).status_code == 201


async def test_start_and_charge_when_staff_may_read_the_order_of_a_customer_are_refused(
    client: httpx.AsyncClient, signer: Signer, catalog: FakeCatalog
) -> None:
    """The payment, and the card that the payer uses, would belong to the member of staff."""
    staff = signer.headers("customer-1", scopes=ADMIN)
    catalog.add_order(ORDER, customer={"id": "customer-2"})
    card = await save_card(client, staff)
    for answer in (await start(client, staff), await charge_card(client, staff, ORDER, card)):
        assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")
    assert ORDER not in {str(payment.order_id) for payment in await all_payments()}


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
            httpx.Response(
                200,
                json={"id": ORDER, "status": "paid", "amount": 5, "currency": "NGN", "customer": {"id": "customer-1"}},
            ),
            409,
            "order_not_payable",
        ),
    ],
    ids=str,
)
async def test_start_when_catalog_does_not_return_a_payable_order_starts_nothing(
    client: httpx.AsyncClient,
    customer: dict[str, str],
    catalog: FakeCatalog,
    paystack: FakePaystack,
    given: Any,
    status: int,
    code: str,
) -> None:
    catalog.answer = given
    answer = await start(client, customer, "k-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await all_payments() == []
    assert paystack.calls == []


@pytest.mark.parametrize("path", ["/payments", "/payments/charge"])
async def test_start_when_no_secret_key_is_configured_stores_no_payment(
    client: httpx.AsyncClient, customer: dict[str, str], payments: RunningApp, clients: Clients, path: str
) -> None:
    payments.state["clients"] = replace(clients, configured_paystack=None)
    body = {"order_id": ORDER} | ({"card_id": str(uuid4())} if path.endswith("charge") else {})
    answer = await client.post(path, json=body, headers={**customer, "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_configured")
    assert await all_payments() == []


async def test_start_when_paystack_refuses_the_currency_then_the_detail_states_the_rule(
    client: httpx.AsyncClient, customer: dict[str, str], catalog: FakeCatalog, paystack: FakePaystack
) -> None:
    catalog.add_order(ORDER, amount=200, currency="USD")
    paystack.fail(refusal(400, "unsupported_currency", "Currency not supported by merchant"), operation="initialize")
    answer = await start(client, customer)
    assert (answer.status_code, answer.json()["code"]) == (422, "payment_refused")
    assert (
        "Currency not supported by merchant (USD can be accepted by Paystack accounts in Kenya and Nigeria"
        in (answer.json()["detail"])
    )


@pytest.mark.parametrize("message", ["\ud800", "a\x00b", "\n" * 600, "\U0001f4a5" * 600, 5, None, {"a": 1}], ids=repr)
async def test_start_when_paystack_refuses_with_any_text_answers_a_problem(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, message: object
) -> None:
    body = json.dumps({"status": False, "message": message, "code": message})
    paystack.fail(httpx.Response(400, content=body), operation="initialize")
    answer = await start(client, customer)
    assert (answer.status_code, answer.json()["code"]) == (422, "payment_refused"), answer.text
    (stored,) = await all_payments()
    assert stored.status == "abandoned"


@pytest.mark.parametrize("field", ["authorization_url", "access_code"])
@pytest.mark.parametrize("value", ["\ud800", "a\x00b", "", "x" * 3000, "https://pay.test/\u00e9", 5, None], ids=repr)
async def test_start_when_paystacks_page_is_unusable_is_tried_again(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, field: str, value: object
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        reference = json.loads(request.content)["reference"]
        data = {"authorization_url": "https://pay.test/x", "access_code": "x", "reference": reference, field: value}
        return httpx.Response(200, content=json.dumps({"status": True, "message": "ok", "data": data}))

    paystack.fail(answer, operation="initialize")
    started = await start(client, customer)
    assert started.status_code == 201, started.text
    assert [payment.status for payment in await all_payments()] == ["abandoned", "pending"]
