"""A program pays for its own customers: who may do that, who sees the payments, and what is stored."""

from typing import Any

import httpx
import pytest

from services.payments import auth
from services.payments.settings import settings
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack, authorization, charge_success
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import all_cards, all_payments
from tests.fixtures.payments_start import ORDER, start
from tests.fixtures.programs import CHIDI, program_headers
from tests.fixtures.tokens import ADMIN, Signer

Headers = dict[str, str]
ORDERED_BY = {"id": "merchant", "email": "eve@example.com", "name": "Eve", "phone": None, "external_id": "c-2"}


@pytest.fixture
def merchant(signer: Signer) -> Headers:
    return program_headers(signer)


@pytest.fixture(autouse=True)
def _order(catalog: FakeCatalog) -> None:
    catalog.add_order(ORDER, customer=ORDERED_BY)


async def listed(client: httpx.AsyncClient, headers: Headers, **params: str) -> list[str]:
    answer = await client.get("/payments", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    return [each["reference"] for each in answer.json()["items"]]


async def test_program_pays_for_its_customer_and_sees_the_payment(
    client: httpx.AsyncClient, merchant: Headers, paystack: FakePaystack
) -> None:
    started = await start(client, merchant, "k-1", customer=CHIDI)
    assert started.status_code == 201, started.text
    assert started.json()["customer"] == CHIDI
    assert (await start(client, merchant, "k-1", customer=CHIDI)).json() == started.json()
    (sent,) = paystack.bodies_of("initialize")
    assert (sent["email"], sent["metadata"]["phone"]) == (CHIDI["email"], CHIDI["phone"])
    shown = await client.get(f"/payments/{started.json()['reference']}", headers=merchant)
    assert (shown.json()["customer"], shown.json()["status"]) == (CHIDI, "pending")


async def test_program_that_names_no_customer_pays_for_the_customer_of_its_order(
    client: httpx.AsyncClient, merchant: Headers, catalog: FakeCatalog, paystack: FakePaystack
) -> None:
    expected = {name: value for name, value in ORDERED_BY.items() if name != "id"}
    assert (await start(client, merchant)).json()["customer"] == expected
    assert paystack.bodies_of("initialize")[-1]["email"] == "eve@example.com"
    # If another program has placed the order, or its customer was erased, the program must name the customer.
    for customer in (ORDERED_BY | {"id": "other-shop"}, ORDERED_BY | {"email": None}, None):
        catalog.add_order(ORDER, customer=customer)
        refused = await start(client, merchant, email="me@example.com")
        assert (refused.status_code, refused.json()["code"]) == (422, "payer_unknown")
        assert (await start(client, merchant, customer=CHIDI)).status_code == 201


async def test_customer_is_refused_without_the_scope(
    client: httpx.AsyncClient, signer: Signer, customer: Headers, paystack: FakePaystack
) -> None:
    only_orders = program_headers(signer, scopes=frozenset({"orders:write_for"}))
    for headers in (customer, signer.headers(scopes=ADMIN), signer.headers(email=None), only_orders):
        refused = await start(client, headers, customer=CHIDI)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        assert "payments:write_for" in refused.json()["detail"]
    assert (await start(client, only_orders)).status_code == 403
    assert (await all_payments(), paystack.calls) == ([], [])


async def test_program_does_not_see_the_payments_of_another_program(
    client: httpx.AsyncClient, signer: Signer, merchant: Headers
) -> None:
    other = program_headers(signer, "other-shop")
    mine = (await start(client, merchant, customer=CHIDI)).json()["reference"]
    theirs = (await start(client, other, customer=CHIDI)).json()["reference"]
    assert await listed(client, merchant) == await listed(client, merchant, external_id="c-1017") == [mine]
    assert await listed(client, merchant, external_id="c-1") == []
    for method, path in (("GET", ""), ("POST", "/verify"), ("GET", "/refunds")):
        answer = await client.request(method, f"/payments/{theirs}{path}", headers=merchant)
        assert (answer.status_code, answer.json()["code"]) == (404, "payment_not_found"), (method, path)
    staff = signer.headers(scopes=ADMIN)
    assert await listed(client, staff, external_id="c-1017") == [theirs, mine]
    assert await listed(client, staff, external_id="c-1017", customer="merchant") == [mine]


@pytest.mark.parametrize("changes", [{"email": None}, {"email": "chidi"}, {"external_id": "with space"}, {"id": "x"}])
async def test_customer_that_is_not_valid_is_refused(
    client: httpx.AsyncClient, merchant: Headers, changes: dict[str, Any]
) -> None:
    refused = await start(client, merchant, customer=CHIDI | changes)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "customer" in refused.json()["detail"]


async def test_cards_of_the_customers_of_a_program_are_not_saved(
    client: httpx.AsyncClient, merchant: Headers, customer: Headers, catalog: FakeCatalog
) -> None:
    for headers, named, cards in ((merchant, CHIDI, 0), (customer, None, 1)):
        started = await start(client, headers, order_id=catalog.add_order(), customer=named)
        reference = started.json()["reference"]
        await deliver(client, charge_success(reference, authorization=authorization()))
        shown = await client.get(f"/payments/{reference}", headers=headers)
        assert shown.json()["status"] == "succeeded"
        assert len(await all_cards()) == cards


async def test_program_needs_no_verified_address(
    client: httpx.AsyncClient, merchant: Headers, customer: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "settings", settings.model_copy(update={"payments_require_verified_email": True}))
    assert (await start(client, merchant, customer=CHIDI)).status_code == 201
    assert (await start(client, customer)).json()["code"] == "email_not_verified"
