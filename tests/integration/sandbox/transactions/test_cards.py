"""Paystack's test cards, paid on the checkout page and by control call."""

import re
from typing import Any

import httpx
import pytest

from sandbox.transactions.cards import CARDS
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import ORIGIN, Merchant

OUTCOMES: dict[str, tuple[str, list[str], str, str]] = {
    "success": ("4084084084084081", [], "success", "Successful"),
    "declined": ("4084080000005408", [], "failed", "Declined"),
    "insufficient-funds": ("4084080000670037", [], "failed", "Insufficient funds"),
    "refund-fails": ("4084080000671803", [], "success", "Successful"),
    "refund-needs-attention": ("4084080000671902", [], "success", "Successful"),
    "pin": ("507850785078507812", ["1111"], "success", "Successful"),
    "pin-otp": ("5060666666666666666", ["1234", "123456"], "success", "Successful"),
    "pin-phone-otp": ("507850785078507804", ["0000", "08031234567", "123456"], "success", "Successful"),
    "bank": ("5192602720584796", ["yes"], "success", "Successful"),
    "no-token": ("507850785078507853", ["0000"], "failed", "Token not generated"),
}
"""Card number, correct answers on the page, final status and gateway response."""


class CheckoutPage:
    """Checkout page as a browser shows it: a button sends the hidden fields of its form."""

    def __init__(self, merchant: Merchant, path: str) -> None:
        self._merchant = merchant
        self._path = path
        self._form: dict[str, str] = {}

    async def press(self, action: str, **fields: str) -> httpx.Response:
        response = await self._merchant.http.post(self._path, data=self._form | {"action": action} | fields)
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', response.text)
        self._form = dict(hidden)
        return response


async def open_checkout(merchant: Merchant, **fields: Any) -> tuple[CheckoutPage, str]:
    started = await merchant.start(**fields)
    return CheckoutPage(merchant, started["authorization_url"].removeprefix(ORIGIN)), started["reference"]


def test_cards_of_the_sandbox_are_all_tested() -> None:
    assert {name: card.number for name, card in CARDS.items()} == {name: each[0] for name, each in OUTCOMES.items()}


@pytest.mark.parametrize("name", OUTCOMES)
async def test_card_on_the_checkout_page_has_its_outcome(
    merchant: Merchant, receiver: WebhookReceiver, name: str
) -> None:
    number, answers, status, text = OUTCOMES[name]
    page, reference = await open_checkout(merchant, callback_url="https://shop.test/back")
    response = await page.press("pay", card=name)
    for each in answers:
        assert (await merchant.verify(reference))["status"] == "ongoing"
        assert f"•••• {number[-4:]}" in response.text
        response = await page.press("answer", answer=each)
    transaction = await merchant.verify(reference)
    assert (transaction["status"], transaction["gateway_response"]) == (status, text)
    assert response.status_code == (303 if status == "success" else 200)
    assert (await merchant.webhooks(pending=0))["delivered"] == (status == "success")


@pytest.mark.parametrize("name", OUTCOMES)
async def test_card_in_a_control_call_has_its_outcome(merchant: Merchant, receiver: WebhookReceiver, name: str) -> None:
    number, _, status, text = OUTCOMES[name]
    started = await merchant.start()
    transaction = (await merchant.pay(started["reference"], card=name)).json()["data"]
    assert (transaction["status"], transaction["gateway_response"]) == (status, text)
    assert transaction["authorization"].get("last4") == (number[-4:] if status == "success" else None)
    assert (await merchant.webhooks(pending=0))["delivered"] == (status == "success")


@pytest.mark.parametrize(
    ("name", "before", "wrong", "text"),
    [
        ("pin", [], "1112", "Incorrect PIN"),
        ("pin-otp", ["1234"], "654321", "Incorrect code"),
        ("bank", [], "no", "Declined"),
    ],
)
async def test_wrong_answer_to_a_question_fails_the_attempt(
    shared_merchant: Merchant, name: str, before: list[str], wrong: str, text: str
) -> None:
    page, reference = await open_checkout(shared_merchant)
    await page.press("pay", card=name)
    for each in before:
        await page.press("answer", answer=each)
    response = await page.press("answer", answer=wrong)
    assert f"<strong>{text}.</strong> Nothing was charged" in response.text
    assert (await shared_merchant.verify(reference))["status"] == "failed"
    await page.press("pay", card="success")
    assert (await shared_merchant.verify(reference))["status"] == "success"


async def test_cancel_at_a_question_abandons_the_transaction(shared_merchant: Merchant) -> None:
    page, reference = await open_checkout(shared_merchant)
    await page.press("pay", card="pin")
    assert "Payment cancelled" in (await page.press("cancel")).text
    assert (await shared_merchant.verify(reference))["status"] == "abandoned"


async def test_answer_sent_twice_is_charged_once(merchant: Merchant, receiver: WebhookReceiver) -> None:
    page, _ = await open_checkout(merchant)
    await page.press("pay", card="pin")
    form = {"card": "pin", "question_index": "0", "answer": "1111"}
    for _ in range(2):
        assert "Payment successful" in (await page.press("answer", **form)).text
    await merchant.webhooks(pending=0, delivered=1)


async def test_success_with_a_declined_card_is_refused(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    assert (await shared_merchant.pay(started["reference"], card="declined", outcome="success")).status_code == 422
    assert (await shared_merchant.pay(started["reference"], card="platinum")).status_code == 422


@pytest.mark.parametrize("outcome", ["abandoned", "ongoing", "pending", "processing", "queued"])
async def test_unfinished_outcome_sends_no_webhook_and_can_be_paid(
    merchant: Merchant, receiver: WebhookReceiver, outcome: str
) -> None:
    started = await merchant.start()
    waiting = (await merchant.pay(started["reference"], outcome=outcome)).json()["data"]
    assert (waiting["status"], waiting["paid_at"], waiting["authorization"]) == (outcome, None, {})
    assert (await merchant.pay(started["reference"])).json()["data"]["status"] == "success"
    await merchant.webhooks(pending=0, delivered=1)


async def test_card_of_each_brand_reports_it(shared_merchant: Merchant) -> None:
    brands = {
        name: (await shared_merchant.paid(card=name))["authorization"]["brand"] for name in ("success", "pin", "bank")
    }
    assert brands == {"success": "visa", "pin": "verve", "bank": "mastercard"}
