"""A deactivated card cannot be charged any more: here at once, and at Paystack in a moment."""

import json
from uuid import uuid4

import httpx
import pytest

from services.payments.paystack.errors import PaystackError
from tests.factories.payments import create_payment
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack, authorization, charge_success
from tests.fixtures.payments_jobs import Jobs, process_webhook_events
from tests.fixtures.payments_requests import buy, charge_card, list_cards, post_webhook, save_card
from tests.fixtures.payments_rows import all_cards, execute
from tests.fixtures.tokens import Signer


async def test_deactivate_when_the_customer_deletes_a_card_ends_it_here_and_at_paystack(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str], jobs: Jobs
) -> None:
    paystack.authorizations = {"AUTH_4081"}
    card = await save_card(client, customer)
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=customer)).status_code == 204
    assert await list_cards(client, customer) == []
    assert (await charge_card(client, customer, catalog.add_order(), card)).json()["code"] == "card_not_found"
    await jobs.deactivate_cards()
    assert paystack.authorizations == set()
    (row,) = await all_cards()
    assert (row.authorization_code, row.email, row.last4, row.brand, row.bank) == (None,) * 5
    again = await client.delete(f"/payments/cards/{card['id']}", headers=customer)
    assert (again.status_code, again.json()["code"]) == (404, "card_not_found")


async def test_deactivate_when_the_card_is_another_customers_answers_404(
    client: httpx.AsyncClient, customer: dict[str, str], signer: Signer
) -> None:
    card = await save_card(client, customer)
    other = signer.headers("customer-2")
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=other)).status_code == 404
    assert len(await list_cards(client, customer)) == 1


async def test_deactivate_when_paystack_is_down_is_tried_again(
    client: httpx.AsyncClient, paystack: FakePaystack, customer: dict[str, str], jobs: Jobs
) -> None:
    paystack.authorizations = {"AUTH_4081"}
    paystack.go_down()
    card = await save_card(client, customer)
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=customer)).status_code == 204
    with pytest.raises(PaystackError):
        await jobs.deactivate_cards()
    paystack.recover()
    await execute("UPDATE cards SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")
    await jobs.deactivate_cards()
    assert paystack.authorizations == set()


async def test_deactivated_card_when_a_late_webhook_carries_it_stays_deactivated(
    client: httpx.AsyncClient, paystack: FakePaystack, customer: dict[str, str], jobs: Jobs
) -> None:
    late = await create_payment()
    one = await buy(client, authorization())
    (card,) = await list_cards(client, customer)
    begun = await create_payment()
    await client.delete(f"/payments/cards/{card['id']}", headers=customer)
    for _ in range(2):
        for reference in (one.reference, late.reference, begun.reference):
            await post_webhook(
                client, charge_success(reference, id=1, authorization=authorization(), note=str(uuid4()))
            )
        await process_webhook_events()
        assert await list_cards(client, customer) == []
        await jobs.deactivate_cards()
    # A payment that is started afterwards saves it again.
    await buy(client, authorization(authorization_code="AUTH_new"))
    (back,) = await list_cards(client, customer)
    assert back["id"] == card["id"]
    assert [row.authorization_code for row in await all_cards()] == ["AUTH_new"]


async def test_logs_when_cards_are_charged_and_deactivated_contain_no_codes(
    client: httpx.AsyncClient,
    paystack: FakePaystack,
    catalog: FakeCatalog,
    customer: dict[str, str],
    jobs: Jobs,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    card = await save_card(client, customer)
    await charge_card(client, customer, catalog.add_order(), card)
    paystack.saved_card_answer = {"status": "failed"}
    await charge_card(client, customer, catalog.add_order(), card)
    paystack.lose_answers("charge_authorization")
    await charge_card(client, customer, catalog.add_order(), card)
    paystack.go_down()
    await client.delete(f"/payments/cards/{card['id']}", headers=customer)
    with pytest.raises(PaystackError):
        await jobs.deactivate_cards()
    logged = caplog.text + json.dumps(capsys.readouterr())
    assert "request" in logged
    assert "AUTH_" not in logged
