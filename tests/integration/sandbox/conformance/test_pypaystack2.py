"""pypaystack2, unmodified but for its base URL, works against the sandbox: every call that both offer.

It parses each response into a model. A response that does not fit has no `data`, which fails the test here, except where the
model contradicts Paystack's own samples too.
"""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pypaystack2 import AsyncPaystackClient
from pypaystack2.base_clients import AbstractAPIClient
from pypaystack2.enums import Currency, Resolution, TransactionStatus, WebhookDeliveryStatus
from pypaystack2.exceptions import ClientNetworkError
from pypaystack2.models.payload_models import RefundAccount

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.sandbox import sandbox_process

Client = Any
"""AsyncPaystackClient, whose annotations contradict each other."""


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as listening:
        yield listening


@pytest.fixture(scope="module")
async def merchant(tmp_path_factory: pytest.TempPathFactory, receiver: WebhookReceiver) -> AsyncIterator[Merchant]:
    database = tmp_path_factory.mktemp("sandbox") / "sandbox.db"
    async with sandbox_process(database, SANDBOX_REFUND_SECONDS="0", SANDBOX_WEBHOOK_URL=receiver.url) as sandbox:
        yield sandbox.merchant


@pytest.fixture
def client(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(AbstractAPIClient, "_BASE_URL", str(merchant.http.base_url))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return AsyncPaystackClient(KEY)


def parsed(response: Any) -> Any:
    """Return the data, parsed by the client's model."""
    assert response.status is True, response
    assert response.data is not None, "no model fits the answer"
    return response.data


def unparsed(response: Any) -> Any:
    """Return the unparsed data of a response that the client's model does not fit, and that Paystack's samples do not fit either."""
    assert (response.status, response.data) == (True, None), response
    return response.raw["data"]


async def test_payment_by_client_from_initialize_to_totals_works(client: Client, merchant: Merchant) -> None:
    calls = client.transactions
    started = parsed(await calls.initialize(250_000, "ada@example.com", Currency.NGN, "py-1", metadata={"order": 42}))
    assert (started.reference, started.authorization_url.endswith(started.access_code)) == ("py-1", True)
    assert parsed(await calls.verify("py-1")).status == "abandoned"
    await merchant.pay("py-1")
    paid = parsed(await calls.verify("py-1"))
    assert (paid.status, paid.amount, paid.fees, paid.metadata) == ("success", 250_000, 13_750, {"order": "42"})
    assert parsed(await calls.get_transaction(paid.id)).reference == "py-1"
    assert parsed(await calls.get_timeline("py-1")).success is True
    (listed,) = parsed(await calls.get_transactions(status=TransactionStatus.SUCCESS, page=1, pagination=1))
    assert listed.id == paid.id
    assert parsed(await calls.totals(start_date="2020-01-01")).total_transactions == 1


async def test_saved_card_by_client_is_charged_and_deactivated(client: Client, merchant: Merchant) -> None:
    card = (await merchant.paid())["authorization"]["authorization_code"]
    charged = parsed(await client.transactions.charge(100, "ada@example.com", card, "py-2", Currency.NGN))
    assert (charged.status, charged.reference) == ("success", "py-2")
    gone = await client.customers.deactivate(card)
    assert (gone.status, gone.message) == (True, "Authorization has been deactivated")
    again = await client.transactions.charge(100, "ada@example.com", card)
    assert (again.status, again.status_code, again.code) == (False, 400, "invalid_params")


async def test_refund_by_client_is_created_retried_and_listed(client: Client, merchant: Merchant) -> None:
    paid = await merchant.paid()
    made = parsed(await client.refunds.create(paid["reference"], 1_000, Currency.NGN, "Sorry"))
    assert (made.status, made.amount, made.customer_note) == ("pending", 1_000, "Sorry")
    await merchant.control(f"refunds/{made.id}", outcome="needs-attention")
    account = RefundAccount(currency=Currency.NGN, account_number="0123456789", bank_id="9")
    assert parsed(await client.refunds.retry_refund(made.id, account)).status == "processing"
    await merchant.control(f"refunds/{made.id}", outcome="processed")
    assert parsed(await client.refunds.get_refund(made.id)).status == "processed"
    (listed,) = parsed(await client.refunds.get_refunds(transaction=paid["id"], currency=Currency.NGN))
    assert (listed.id, listed.fully_deducted) == (made.id, 1)
    whole = await client.refunds.create(paid["reference"])
    assert (whole.status_code, whole.message) == (400, "Total refund amount cannot exceed original transaction amount")


async def test_dispute_by_client_is_fetched_updated_and_resolved(client: Client, merchant: Merchant) -> None:
    """Without evidence: add_evidence of 3.4.0 requests an address without the slash after the host."""
    calls, paid = client.disputes, await merchant.paid()
    number = (await merchant.control("disputes", reference=paid["reference"])).json()["data"]["id"]
    assert parsed(await calls.get_dispute(number)).status == "awaiting-merchant-feedback"
    upload = parsed(await calls.get_upload_url(number, "receipt.pdf"))
    assert (await merchant.http.put(upload.signed_url, content=b"%PDF")).status_code == 200
    assert parsed(await calls.update_dispute(number, 5, upload.file_name)).refund_amount == 5
    # Paystack's samples have no customer in these, and a number as the transaction of a resolved dispute. The models fit neither.
    (listed,) = unparsed(await calls.get_disputes("2020-01-01", "2100-01-01", transaction=str(paid["id"])))
    of_transaction = unparsed(await calls.get_transaction_disputes(paid["id"]))
    assert listed["id"] == of_transaction["id"] == number
    response = await calls.resolve_dispute(number, Resolution.MERCHANT_ACCEPTED, "Sorry", 5, upload.file_name)
    assert (unparsed(response)["status"], response.message) == ("resolved", "Dispute successfully resolved")


async def test_settlement_by_client_is_listed_with_its_transactions(client: Client, merchant: Merchant) -> None:
    paid = await merchant.paid()
    (made,) = (await merchant.control("settlements")).json()["data"]
    (settled,) = unparsed(await client.settlements.get_settlements())  # its model requires `update_at`
    assert settled["id"] == made["id"]
    inside = parsed(await client.settlements.get_settlement_transactions(made["id"]))
    assert paid["id"] in {each.id for each in inside}


async def test_webhook_events_by_client_are_listed_and_resent(
    client: Client, merchant: Merchant, receiver: WebhookReceiver
) -> None:
    """Without a preview: 3.4.0 fails when a query has a single parameter."""
    calls, paid = client.webhook_events, await merchant.paid()
    await merchant.webhooks(pending=0)
    wanted = {"category": "transactions", "category_row_id": str(paid["id"])}
    (event,) = parsed(await calls.all(**wanted, status=WebhookDeliveryStatus.DELIVERED, limit=5))
    assert (event.event_name, event.category_row_id, event.response_code) == ("charge.success", paid["id"], 200)
    assert parsed(await calls.lookup(str(paid["id"]))).id == event.id
    fetched = parsed(await calls.get(event.id))
    assert fetched.event_payload.data["reference"] == paid["reference"]
    before = len(receiver.received)
    assert (await calls.resend([event.id])).raw["data"] == {"count": 1}
    again = (await receiver.wait(before + 1))[-1]
    assert json.loads(again.body)["data"]["id"] == paid["id"]
    assert client.is_verified_webhook_payload(again.body, str(again.signature))
    assert (await calls.resend_matching(**wanted)).raw["data"] == {"count": 1}
    await receiver.wait(before + 2)
    lost = await calls.lookup("no-such-reference")
    assert (lost.status_code, lost.message) == (404, "Webhook not found")


async def test_call_by_client_that_is_refused_returns_status_and_code(client: Client, merchant: Merchant) -> None:
    other: Client = AsyncPaystackClient("sk_test_of_another_account")
    wrong_key = await other.transactions.verify("no-such-reference")
    assert (wrong_key.status_code, wrong_key.message, wrong_key.code) == (401, "Invalid key", "invalid_Key")
    unknown = await client.transactions.verify("no-such-reference")
    assert (unknown.status, unknown.code) == (False, "transaction_not_found")
    assert (await client.transactions.get_transaction("1")).status_code == 404
    parsed(await client.transactions.initialize(100, "ada@example.com", reference="py-3"))
    again = await client.transactions.initialize(100, "ada@example.com", reference="py-3")
    assert (again.status_code, again.code, again.type) == (400, "duplicate_reference", "validation_error")
    assert (await client.transactions.export()).status_code == 404
    assert (await client.plans.get_plans()).status_code == 404


async def test_verify_by_client_with_faults_returns_or_raises_the_error(client: Client, merchant: Merchant) -> None:
    await merchant.start(reference="py-4")

    async def verified(mode: str) -> Any:
        fault = {"verify": {"mode": mode, "times": 1}}
        assert (await merchant.http.put("/sandbox/faults", json=fault)).status_code == 200
        return await client.transactions.verify("py-4")

    limited = await verified("rate_limited")
    assert (limited.status_code, limited.code, limited.message) == (429, "rate_limited", "Rate limit exceeded!")
    broken = await verified("error_500")
    assert (broken.status_code, broken.type) == (500, "api_error")
    assert (await verified("html_200")).message == "pypaystack2 was unable to serialize response as json data"
    with pytest.raises(ClientNetworkError):
        await verified("reset")
    assert parsed(await verified("wrong_status")).status == "success"
    assert parsed(await client.transactions.verify("py-4")).status == "abandoned"


async def test_charge_by_client_is_created_checked_and_paid(client: Client, merchant: Merchant) -> None:
    """Its model of a charge knows neither `pending` nor `pay_offline`."""
    calls, payer = client.charge, "ada@example.com"
    transfer = unparsed(await calls.charge(payer, 250_000, bank_transfer={}))
    ussd = unparsed(await calls.charge(payer, 250_000, ussd={"type": "737"}))
    assert (transfer["status"], ussd["status"]) == ("pending", "pay_offline")
    await merchant.control(f"transactions/{transfer['reference']}/transfer")
    await merchant.control(f"transactions/{ussd['reference']}/approve")
    for started, channel in ((transfer, "bank_transfer"), (ussd, "ussd")):
        paid = parsed(await calls.check_pending_charge(started["reference"]))
        assert (paid.status, paid.channel) == ("success", channel)


async def test_partial_debit_and_session_timeout_by_client_work(client: Client, merchant: Merchant) -> None:
    card = (await merchant.paid())["authorization"]["authorization_code"]
    calls, payer = client.transactions, "ada@example.com"
    charged = unparsed(await calls.partial_debit(card, Currency.NGN, 250_000, payer, at_least=100))  # plan: 0
    assert (charged["status"], charged["amount"]) == ("success", 250_000)
    for seconds in (60, 0):
        for answer in (
            await client.integration.update_payment_session_timeout(seconds),
            await client.integration.get_payment_session_timeout(),
        ):
            assert parsed(answer).payment_session_timeout == timedelta(seconds=seconds)
