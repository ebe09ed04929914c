"""payment.started says until when a payment can be completed; payment.abandoned says that it was given up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from contracts.events import PaymentEvent, PaymentStarted
from services.payments.settings import settings
from tests.factories.payments import LONG_AGO, create_card, create_payment
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack, refusal
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import charge_card
from tests.fixtures.payments_rows import change_payments, find_payment, outbox_events, outbox_types
from tests.fixtures.payments_start import start

pytestmark = pytest.mark.usefixtures("order")


async def started_event() -> PaymentStarted:
    event: PaymentEvent = (await outbox_events())[0]
    assert isinstance(event, PaymentStarted)
    return event


@pytest.mark.parametrize(
    ("channels", "transfer"),
    [({"channels": ["card"]}, 0), ({"channels": ["card", "bank_transfer"]}, 8 * 3600), ({}, 8 * 3600)],
    ids=["card", "card and transfer", "all channels"],
)
async def test_start_publishes_the_end_of_the_session_and_of_a_transfer_account_that_was_opened_in_it(
    client: httpx.AsyncClient,
    customer: dict[str, str],
    paystack: FakePaystack,
    channels: dict[str, Any],
    transfer: int,
) -> None:
    paystack.session_timeout = 600
    before = datetime.now(UTC)
    view = (await start(client, customer, **channels)).json()
    event, lifetime = await started_event(), timedelta(seconds=600 + transfer)
    assert event.data.payable_until is not None
    assert before + lifetime <= event.data.payable_until <= datetime.now(UTC) + lifetime
    assert event.data.reference == view["reference"]
    shown = (await client.get(f"/payments/{view['reference']}", headers=customer)).json()
    for body in (view, shown):
        assert datetime.fromisoformat(body["payable_until"]) == event.data.payable_until


async def test_start_when_transfer_accounts_end_with_the_session_publishes_the_end_of_the_session(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = settings.model_copy(update={"payments_transfer_account_seconds": 0})
    monkeypatch.setattr("services.payments.checkout.start.settings", changed)
    paystack.session_timeout = 600
    await start(client, customer)
    ends_at = (await started_event()).data.payable_until
    assert ends_at is not None
    assert ends_at < datetime.now(UTC) + timedelta(seconds=601)


@pytest.mark.parametrize("known", [True, False])
async def test_start_when_the_session_has_no_known_end_publishes_none(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, known: bool
) -> None:
    paystack.session_timeout = 0
    if not known:
        paystack.fail(httpx.ConnectError("down"), operation="session_timeout")
    view = (await start(client, customer)).json()
    assert (view["status"], view["payable_until"]) == ("pending", None)
    assert (await started_event()).data.payable_until is None


async def test_start_when_paystack_stops_answering_uses_the_last_known_session_timeout(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.payments.paystack.integration.FRESH_SECONDS", 0)
    paystack.session_timeout = 600
    await start(client, customer)
    paystack.fail(httpx.ConnectError("down"), operation="session_timeout")
    assert (await start(client, customer)).json()["payable_until"] is not None


async def test_starts_within_seconds_read_the_session_timeout_once(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    for _ in range(3):
        await start(client, customer)
    assert len(paystack.calls_to("session_timeout")) == 1


async def test_start_when_paystack_refuses_publishes_nothing(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    paystack.fail(refusal(400, "unsupported_currency", "Currency not supported by merchant"), operation="initialize")
    assert (await start(client, customer)).status_code == 422
    assert await outbox_types() == []


async def test_charge_of_a_saved_card_publishes_its_end_and_its_refusal(
    client: httpx.AsyncClient, customer: dict[str, str], catalog: FakeCatalog, paystack: FakePaystack
) -> None:
    paystack.session_timeout = 600
    card = await create_card()
    paystack.fail(refusal(400, "invalid_params", "Authorization code is not usable"), operation="charge_authorization")
    order = catalog.add_order()
    assert (await charge_card(client, customer, order, {"id": str(card.id)})).status_code == 422
    event = await started_event()
    assert event.data.payable_until is not None
    assert event.data.payable_until > datetime.now(UTC) + timedelta(seconds=600)
    assert await outbox_types() == ["payment.started", "payment.abandoned"]


async def test_sweep_when_a_payment_is_too_old_publishes_that_it_is_abandoned_once(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    page = {"authorization_url": "https://pay.test/1", "access_code": "code"}
    old, declined = [await create_payment(verify_next_attempt_at=LONG_AGO, **page) for _ in range(2)]
    await change_payments(created_at=LONG_AGO)
    await change_payments(declined.reference, status="failed")
    for one in (old, declined):
        paystack.add_transaction(one.reference, status="abandoned")
    await jobs.sweep()
    await jobs.sweep()
    assert [(event.type, event.data.reference) for event in await outbox_events()] == [
        ("payment.abandoned", old.reference)
    ]
    assert (await find_payment(declined.reference)).status == "failed"
