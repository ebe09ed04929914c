"""What the payer reads after the payment, in the time of the payer's country."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.payments.checkout.return_texts import PageText, RejectedTransfer, page_text
from services.payments.statuses import PaymentStatus

NOW = datetime(2026, 11, 26, 13, 0, tzinfo=UTC)
PAY_URL = "https://checkout.paystack.com/k3x9d0v7q2m5b8n"


@dataclass(frozen=True)
class Payment:
    """A pending payment of 500 naira."""

    status: PaymentStatus = PaymentStatus.PENDING
    amount: int = 50_000
    currency: str = "NGN"
    paid_amount: int | None = None
    paid_currency: str | None = None
    refunded_amount: int = 0
    channel: str | None = "bank_transfer"
    paystack_status: str | None = None
    authorization_url: str | None = PAY_URL
    payable_until: datetime | None = NOW + timedelta(minutes=30)


def rejected(reason: str | None = "INCORRECT_AMOUNT", amount: int | None = 40_000) -> RejectedTransfer:
    return RejectedTransfer(amount, reason)


def shown(reported: str | None = None, transfer: RejectedTransfer | None = None, **changes: Any) -> PageText:
    return page_text(Payment(**changes), reported, transfer, NOW)


@pytest.mark.parametrize(
    ("currency", "until", "sentence"),
    [
        ("NGN", NOW + timedelta(minutes=30), "It can arrive until 14:30 (Lagos time)."),
        ("KES", NOW + timedelta(minutes=30), "It can arrive until 16:30 (Nairobi time)."),
        ("NGN", NOW + timedelta(hours=10), "It can arrive until 00:00 on 27 November (Lagos time)."),
        ("USD", NOW + timedelta(minutes=30), "It can arrive until 13:30 (UTC)."),
    ],
)
def test_page_when_a_transfer_is_awaited_says_until_when_and_not_to_pay_again(
    currency: str, until: datetime, sentence: str
) -> None:
    title, text, pay_url = shown("pending", currency=currency, payable_until=until)
    assert title == "Waiting for your transfer"
    assert text.startswith(f"Your bank transfer of {currency} 500.00 has not arrived yet. {sentence} ")
    assert "do not pay again" in text
    assert pay_url is None


@pytest.mark.parametrize("until", [None, NOW - timedelta(seconds=1)])
def test_page_when_a_transfer_is_awaited_and_its_end_is_not_known_or_over_names_no_time(until: datetime | None) -> None:
    assert "It can arrive" not in shown("ongoing", payable_until=until).text


def test_page_when_paystack_does_not_answer_and_a_transfer_was_on_its_way_says_so() -> None:
    assert shown(None, paystack_status="pending").title == "Waiting for your transfer"
    assert shown(None, paystack_status="abandoned").title == "Almost there"
    assert shown("abandoned", paystack_status="pending").title == "Not paid"


@pytest.mark.parametrize("channel", ["ussd", "card", None])
def test_page_when_another_channel_is_pending_says_not_to_pay_again(channel: str | None) -> None:
    title, text, _ = shown("pending", channel=channel)
    assert title == "Almost there"
    assert "do not pay again" in text


def test_page_when_the_transfer_had_a_wrong_amount_says_what_to_transfer_and_links_to_the_page() -> None:
    title, text, pay_url = shown("pending", rejected())
    assert title == "Transfer rejected"
    assert "Your bank transfer of NGN 400.00 was not accepted, because its amount is wrong." in text
    assert "The money goes back to the account from which you sent it." in text
    assert "transfer exactly NGN 500.00 on the payment page" in text
    assert pay_url == PAY_URL


def test_page_when_the_transfer_was_rejected_for_another_reason_does_not_speak_of_the_amount() -> None:
    title, text, pay_url = shown("pending", rejected(reason=None, amount=None))
    assert title == "Transfer rejected"
    assert text.startswith("Your bank transfer was not accepted. ")
    assert "To pay NGN 500.00, go back to the payment page" in text
    assert pay_url == PAY_URL


@pytest.mark.parametrize("changes", [{"payable_until": NOW}, {"authorization_url": None}])
def test_page_when_a_transfer_was_rejected_after_the_checkout_has_ended_sends_the_payer_to_the_shop(
    changes: dict[str, Any],
) -> None:
    _, text, pay_url = shown("abandoned", rejected(), **changes)
    assert "go back to the shop to pay again" in text
    assert pay_url is None


def test_page_when_the_payer_has_paid_after_a_rejected_transfer_thanks() -> None:
    paid = {"status": PaymentStatus.SUCCEEDED, "paid_amount": 50_000, "paid_currency": "NGN"}
    assert shown(None, rejected(), **paid).text == "Your payment of NGN 500.00 was received."


def test_page_when_the_account_for_the_transfer_is_closed_does_not_say_that_nothing_was_charged_without_a_condition() -> (
    None
):
    title, text, _ = shown("failed")
    assert title == "Not paid"
    assert "If you have sent one, contact the shop before you pay again." in text
    assert "was declined, and nothing was charged" in shown("failed", channel="card").text
