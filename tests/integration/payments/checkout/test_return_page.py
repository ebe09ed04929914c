"""The payer's return from Paystack: only Paystack's answer settles a payment, and the payer gets an answer even if Paystack gives none."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from kit.http.client_address import TrustedProxies
from services.payments.checkout import return_page
from services.payments.clients import Clients
from services.payments.models import UNPAID
from services.payments.paystack.rate_limit import RateLimit
from services.payments.settings import settings
from services.payments.settlement import requested
from services.payments.settlement.requested import RequestedVerifications
from services.payments.statuses import PaymentStatus
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, charge_success, transfer_rejected
from tests.fixtures.apps import RunningApp
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import find_payment, outbox_types


async def test_return_when_the_payment_has_a_callback_url_redirects_there(
    client: httpx.AsyncClient, paystack: FakePaystack
) -> None:
    one = await create_payment(callback_url="https://shop.test/thanks?basket=7#top")
    paystack.add_transaction(one.reference)
    answer = await client.get("/payments/callback", params={"trxref": one.reference, "reference": one.reference})
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        f"https://shop.test/thanks?basket=7&trxref={one.reference}&reference={one.reference}#top"
    )
    assert (await find_payment(one.reference)).status == "succeeded"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.test", "https://shop.test?OURS"),
        ("https://shop.test/?", "https://shop.test/?OURS"),
        ("https://shop.test/a?b&", "https://shop.test/a?b&OURS"),
        ("https://shop.test/a?b=%20+c&b=&reference=theirs", "https://shop.test/a?b=%20+c&b=&reference=theirs&OURS"),
        ("https://shop.test/#/thanks?x=1", "https://shop.test/?OURS#/thanks?x=1"),
        ('https://shop.test/a|b^?c={x}&d=<\\"`>', 'https://shop.test/a|b^?c={x}&d=<\\"`>&OURS'),
    ],
)
async def test_return_keeps_the_callback_url_byte_for_byte(
    client: httpx.AsyncClient, paystack: FakePaystack, url: str, target: str
) -> None:
    one = await create_payment(callback_url=url)
    paystack.add_transaction(one.reference)
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    ours = f"trxref={one.reference}&reference={one.reference}"
    assert answer.headers["location"] == target.replace("OURS", ours)


TEXTS: dict[str, str] = {
    "pending": "The payment of NGN 500.00 is not confirmed yet.",
    "failed": "The payment of NGN 500.00 was declined, and nothing was charged.",
    "abandoned": "The payment of NGN 500.00 was not completed, and nothing was charged.",
    "succeeded": "Your payment of NGN 400.00 was received.",
    "held": "Your payment of NGN 400.00 was received and is being reviewed.",
    "partially_refunded": "Your payment of NGN 400.00 was received, and NGN 100.00 of it was refunded.",
    "refunded": "Your payment of NGN 400.00 was refunded.",
    "disputed": "Your payment of NGN 400.00 was received. Your bank is examining a dispute about it.",
}


@pytest.mark.parametrize("status", [status for status in PaymentStatus if status not in UNPAID])
async def test_page_says_what_happened_to_the_money(client: httpx.AsyncClient, status: PaymentStatus) -> None:
    refunded = 10_000 if status == "partially_refunded" else 0
    one = await create_payment(status=status, refunded_amount=refunded, paid_amount=40_000, paid_currency="NGN")
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert answer.status_code == 200
    assert TEXTS[status] in answer.text
    assert "frame-ancestors 'none'; base-uri 'none'; form-action 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("status", sorted(UNPAID))
@pytest.mark.parametrize(
    ("reported", "shown"),
    [
        ("failed", "failed"),
        ("abandoned", "abandoned"),
        ("ongoing", "pending"),
        ("pending", "pending"),
        (None, "pending"),
    ],
)
async def test_page_says_that_nothing_was_charged_only_if_paystack_has_just_said_so(
    client: httpx.AsyncClient, paystack: FakePaystack, status: PaymentStatus, reported: str | None, shown: str
) -> None:
    one = await create_payment(status=status)
    if reported is None:
        paystack.fail(httpx.ReadTimeout("slow"), times=None)
    else:
        paystack.add_transaction(one.reference, status=reported)
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert TEXTS[shown] in answer.text


async def test_page_names_the_shop_and_links_to_it(
    client: httpx.AsyncClient, paystack: FakePaystack, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = settings.model_copy(
        update={"payments_shop_name": "Tea & <b>", "payments_shop_url": "https://shop.test/?a=1&b=2"}
    )
    monkeypatch.setattr(return_page, "settings", shop)
    one = await create_payment()
    paystack.add_transaction(one.reference)
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert '<a href="https://shop.test/?a=1&amp;b=2">Back to Tea &amp; &lt;b&gt;</a>' in answer.text


async def test_page_when_no_secret_key_is_configured_is_shown(
    client: httpx.AsyncClient, payments: RunningApp, clients: Clients
) -> None:
    one = await create_payment()
    payments.state["clients"] = replace(clients, configured_paystack=None)
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert answer.status_code == 200
    assert "not confirmed yet" in answer.text


@pytest.mark.parametrize("name", ["reference", "trxref"])
async def test_return_when_the_payment_has_no_callback_url_shows_a_page(
    client: httpx.AsyncClient, paystack: FakePaystack, name: str
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference)
    answer = await client.get("/payments/callback", params={name: one.reference})
    assert answer.status_code == 200
    assert "Thank you" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_return_when_nothing_was_paid_settles_nothing(client: httpx.AsyncClient, paystack: FakePaystack) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="abandoned")
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert "was not completed, and nothing was charged" in answer.text
    assert await outbox_types() == []


async def test_return_when_paystack_does_not_answer_redirects_all_the_same(
    client: httpx.AsyncClient, paystack: FakePaystack
) -> None:
    one = await create_payment(callback_url="https://shop.test/thanks")
    paystack.fail(httpx.ReadTimeout("slow"), times=None)
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert answer.status_code == 303


@pytest.mark.parametrize("odd", ["", "x", "<script>", "\x00", "é", "\ud7ff", "a" * 200, "' OR 1=1;--"])
async def test_return_when_the_reference_is_unknown_answers_404(
    client: httpx.AsyncClient, paystack: FakePaystack, odd: str
) -> None:
    answer = await client.get("/payments/callback", params={"reference": odd})
    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert paystack.calls == []


async def test_return_when_payers_caused_too_many_verifications_shows_the_stored_payment(
    client: httpx.AsyncClient, payments: RunningApp, clients: Clients, paystack: FakePaystack
) -> None:
    """Paystack's limit in test mode leaves eleven verifications a minute to the return page."""
    async with paystack_client(paystack, RateLimit(100)) as limited:
        payments.state["clients"] = replace(clients, configured_paystack=limited)
        answers = []
        for _ in range(12):
            one = await create_payment()
            paystack.add_transaction(one.reference)
            answers.append(await client.get("/payments/callback", params={"reference": one.reference}))
        redirected = await create_payment(callback_url="https://shop.test/thanks")
        answer = await client.get("/payments/callback", params={"reference": redirected.reference})
    assert ["Thank you" in each.text for each in answers] == [True] * 11 + [False]
    assert TEXTS["pending"] in answers[-1].text
    assert answer.status_code == 303
    assert len(paystack.calls) == 11


async def test_return_when_one_address_caused_too_many_verifications_asks_paystack_for_others(
    client: httpx.AsyncClient, payments: RunningApp, paystack: FakePaystack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requested, "RETURN_PAGES_PER_ADDRESS", 2)
    payments.state["requested_verifications"] = RequestedVerifications()
    payments.state["trusted_proxies"] = TrustedProxies(["127.0.0.1"])
    monkeypatch.setattr(return_page, "settings", settings.model_copy(update={"trusted_proxies": ["127.0.0.1"]}))

    async def returned(address: str) -> bool:
        one = await create_payment()
        paystack.add_transaction(one.reference)
        headers = {"X-Forwarded-For": address}
        answer = await client.get("/payments/callback", params={"reference": one.reference}, headers=headers)
        return "Thank you" in answer.text

    assert [await returned("198.51.100.1") for _ in range(3)] == [True, True, False]
    assert await returned("198.51.100.2")


async def test_return_when_the_payment_is_paid_causes_no_verification(
    client: httpx.AsyncClient, payments: RunningApp, clients: Clients, paystack: FakePaystack
) -> None:
    async with paystack_client(paystack, RateLimit(1)) as limited:  # one verification a minute
        payments.state["clients"] = replace(clients, configured_paystack=limited)
        paid = await create_payment(status=PaymentStatus.SUCCEEDED, paid_amount=40_000, paid_currency="NGN")
        for _ in range(3):
            assert (await client.get("/payments/callback", params={"reference": paid.reference})).status_code == 200
        one = await create_payment()
        paystack.add_transaction(one.reference)
        answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert "Thank you" in answer.text


async def test_page_when_a_bank_transfer_is_on_its_way_says_so_and_until_when(
    client: httpx.AsyncClient, paystack: FakePaystack
) -> None:
    one = await create_payment(payable_until=datetime(2099, 11, 26, 13, 30, tzinfo=UTC))
    paystack.add_transaction(one.reference, status="pending", channel="bank_transfer")
    page = (await client.get("/payments/callback", params={"reference": one.reference})).text
    assert (
        "Your bank transfer of NGN 500.00 has not arrived yet. It can arrive until 14:30 on 26 November (Lagos" in page
    )
    assert "do not pay again" in page


async def test_page_when_a_bank_transfer_was_rejected_says_what_to_do_and_links_to_the_payment_page(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    url = "https://checkout.paystack.com/abc?x=1&y=2"
    one = await create_payment(authorization_url=url)
    paystack.add_transaction(one.reference, status="pending", channel="bank_transfer")
    await deliver(client, transfer_rejected(one.reference))
    await jobs.match_transfers()
    page = (await client.get("/payments/callback", params={"reference": one.reference})).text
    assert "Your bank transfer of NGN 400.00 was not accepted, because its amount is wrong." in page
    assert "transfer exactly NGN 500.00" in page
    assert '<a href="https://checkout.paystack.com/abc?x=1&amp;y=2">Go to the payment page</a>' in page
    await deliver(client, charge_success(one.reference))
    page = (await client.get("/payments/callback", params={"reference": one.reference})).text
    assert ("Thank you" in page, "Go to the payment page" in page) == (True, False)
