"""Channels other than card on the checkout page."""

import re
from typing import Any

import httpx
import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import ORIGIN, Merchant

BACK = "https://shop.test/back"


async def open_checkout(merchant: Merchant, **fields: Any) -> tuple[str, str]:
    """Initialize a transaction, and return the path of its checkout page and its reference."""
    started = await merchant.start(callback_url=BACK, **fields)
    return started["authorization_url"].removeprefix(ORIGIN), started["reference"]


async def press(merchant: Merchant, path: str, action: str, **fields: str) -> httpx.Response:
    """Press a button, and return the page to which it leads."""
    response = await merchant.http.post(path, data={"action": action, **fields})
    assert response.status_code == 303
    target = response.headers["location"]
    assert target == f"{path}?waiting=true"
    return await merchant.http.get(target)


def refreshes(page: httpx.Response) -> bool:
    return re.search(r'<meta http-equiv="refresh" content="\d;url=\?waiting=true">', page.text) is not None


@pytest.mark.parametrize(
    ("fields", "channels"),
    [
        ({"currency": "NGN"}, {"card", "bank_transfer", "ussd"}),
        ({"currency": "GHS"}, {"card", "mobile_money"}),
        ({"currency": "KES"}, {"card", "mobile_money", "bank_transfer"}),
        ({"currency": "XOF"}, {"card", "mobile_money"}),
        ({"currency": "ZAR"}, {"card", "qr"}),
        ({"currency": "USD"}, {"card"}),
        ({"currency": "NGN", "amount": 9_999}, {"card", "ussd"}),
        ({"currency": "NGN", "channels": ["bank_transfer"]}, {"bank_transfer"}),
        ({"currency": "NGN", "channels": ["card", "mobile_money"]}, {"card"}),
        ({"currency": "NGN", "channels": ["eft"]}, set()),
    ],
)
async def test_page_offers_the_channels_of_currency_and_transaction(
    shared_merchant: Merchant, fields: dict[str, Any], channels: set[str]
) -> None:
    path, _ = await open_checkout(shared_merchant, **fields)
    page = (await shared_merchant.http.get(path)).text
    offered = set(re.findall(r'name="channel" value="(\w+)"', page))
    assert offered | ({"card"} if 'name="card"' in page else set()) == channels
    assert ("None of the channels" in page) == (not channels)
    assert 'value="cancel"' in page


@pytest.mark.parametrize(
    ("filters", "cards", "networks"),
    [
        ({"card_brands": ["mastercard"]}, {"bank"}, ["mtn", "atl", "vod"]),
        ({"card_brands": ["verve"]}, {"pin", "pin-otp", "pin-phone-otp", "no-token"}, ["mtn", "atl", "vod"]),
        ({"card_brands": ["amex"], "supported_mobile_money_providers": ["atl"]}, set(), ["atl"]),
        ({"card_brands": ["mastercard"], "supported_mobile_money_providers": ["wave"]}, {"bank"}, []),
    ],
)
async def test_page_offers_what_the_custom_filters_allow(
    shared_merchant: Merchant, filters: dict[str, Any], cards: set[str], networks: list[str]
) -> None:
    path, _ = await open_checkout(shared_merchant, currency="GHS", metadata={"custom_filters": filters})
    page = (await shared_merchant.http.get(path)).text
    assert set(re.findall(r'name="card" value="([\w-]+)"', page)) == cards
    assert page.count(" checked>") == bool(cards)
    assert re.findall(r'<option value="(\w+)"', page) == networks


@pytest.mark.parametrize("filters", [[], "visa", {"card_brands": "visa"}, {"supported_mobile_money_providers": {}}])
async def test_page_with_invalid_custom_filters_offers_everything(shared_merchant: Merchant, filters: Any) -> None:
    path, _ = await open_checkout(shared_merchant, currency="GHS", metadata={"custom_filters": filters})
    page = (await shared_merchant.http.get(path)).text
    assert page.count('name="card"') == 10
    assert page.count("<option") == 3


@pytest.mark.parametrize("channels", ["card", ["cheque"], [1], {"card": True}, [["card"]]])
async def test_channels_that_are_no_list_of_channels_are_refused(shared_merchant: Merchant, channels: Any) -> None:
    response = await shared_merchant.initialize(email="a@example.com", amount=100, channels=channels)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_params")


async def test_page_of_a_transfer_shows_the_account_the_amount_and_the_time_left(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(shared_merchant)
    page = await press(shared_merchant, path, "choose", channel="bank_transfer")
    account = re.findall(r"\d{10}", (await shared_merchant.get(f"/charge/{reference}"))["display_text"])[0]
    for text in ("Sandbox Bank", account, "NGN\N{NO-BREAK SPACE}2,500.00", "Time left", " min "):
        assert text in page.text
    assert refreshes(page)
    assert (await shared_merchant.http.get(path)).text.count(account) == 1  # a reload without the query shows it too


async def test_transfer_from_a_slow_bank_waits_on_the_page_and_returns_to_the_shop(merchant: Merchant) -> None:
    path, reference = await open_checkout(merchant)
    await press(merchant, path, "choose", channel="bank_transfer")
    await merchant.control(f"transactions/{reference}/transfer", after_ms=300)
    waiting = await merchant.http.get(f"{path}?waiting=true")
    assert "Do not pay again" in waiting.text
    assert refreshes(waiting)
    assert 'value="transfer"' not in waiting.text
    await merchant.wait_for_status(reference, "success")
    paid = await merchant.http.get(f"{path}?waiting=true")
    assert (paid.status_code, paid.headers["location"]) == (303, f"{BACK}?trxref={reference}&reference={reference}")
    assert "already paid" in (await merchant.http.get(path)).text


@pytest.mark.parametrize(
    ("scenario", "status", "text"),
    [
        ("slow", "pending", "Do not pay again"),
        ("too_little", "ongoing", "incorrect amount sent"),
        ("too_much", "ongoing", "incorrect amount sent"),
        ("closed", "failed", "<strong>The account is closed.</strong> Nothing was charged"),
        ("expired", "abandoned", "<strong>The time to pay is over.</strong> Nothing was charged"),
    ],
)
async def test_transfer_button_that_does_not_pay_shows_why(
    shared_merchant: Merchant, scenario: str, status: str, text: str
) -> None:
    path, reference = await open_checkout(shared_merchant)
    await press(shared_merchant, path, "choose", channel="bank_transfer")
    page = await press(shared_merchant, path, "transfer", scenario=scenario)
    assert text in page.text
    assert (await shared_merchant.verify(reference))["status"] == status


async def test_transfer_button_with_the_right_amount_returns_to_the_shop(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    path, reference = await open_checkout(merchant)
    await press(merchant, path, "choose", channel="bank_transfer")
    after = await press(merchant, path, "transfer")
    assert after.headers["location"].startswith(BACK)
    assert (await merchant.verify(reference))["channel"] == "bank_transfer"
    await receiver.wait(1)


@pytest.mark.parametrize(
    ("channel", "currency", "provider", "text"),
    [
        ("ussd", "NGN", "919", "*919*"),
        ("qr", "ZAR", "", "Emulated QR code"),
        ("mobile_money", "GHS", "vod", "Vodafone"),
        ("mobile_money", "KES", "mpesa", "M-PESA"),
    ],
)
async def test_channel_on_the_phone_shows_what_to_do_and_waits_after_a_slow_confirmation(
    shared_merchant: Merchant, channel: str, currency: str, provider: str, text: str
) -> None:
    path, reference = await open_checkout(shared_merchant, currency=currency)
    page = await press(shared_merchant, path, "choose", channel=channel, provider=provider, phone="0551234987")
    assert text in page.text
    assert refreshes(page)
    rejected = await press(shared_merchant, path, "reject")
    assert "<strong>The payer rejected the payment.</strong> Nothing was charged" in rejected.text
    await press(shared_merchant, path, "choose", channel=channel, provider=provider)
    waiting = await press(shared_merchant, path, "approve_slow")
    assert "Do not pay again" in waiting.text
    assert (await shared_merchant.verify(reference))["status"] == "pending"


async def test_mobile_money_with_a_code_pays_after_the_code(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(shared_merchant, currency="XOF")
    page = await press(shared_merchant, path, "choose", channel="mobile_money", provider="orange", phone="0700000000")
    assert 'name="answer"' in page.text
    assert not refreshes(page)  # it would empty the input
    wrong = await press(shared_merchant, path, "send_code", answer="1")
    assert "<strong>Incorrect code.</strong>" in wrong.text
    await press(shared_merchant, path, "choose", channel="mobile_money", provider="orange")
    paid = await press(shared_merchant, path, "send_code", answer=" 1234 ")
    assert paid.headers["location"].startswith(BACK)
    assert (await shared_merchant.verify(reference))["channel"] == "mobile_money"


async def test_other_way_after_a_channel_offers_all_channels_again(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(shared_merchant)
    await press(shared_merchant, path, "choose", channel="ussd")
    again = await press(shared_merchant, path, "change")
    assert 'name="card"' in again.text
    assert (await shared_merchant.verify(reference))["status"] == "abandoned"
    await press(shared_merchant, path, "choose", channel="ussd")
    assert (await shared_merchant.http.post(path, data={"action": "pay"})).status_code == 303
    assert (await shared_merchant.verify(reference))["channel"] == "card"


async def test_cancel_during_a_charge_returns_to_the_shop_and_keeps_money_that_was_sent(merchant: Merchant) -> None:
    for after_ms, status in ((0, "abandoned"), (500, "pending")):
        path, reference = await open_checkout(merchant, metadata={"cancel_action": "https://shop.test/cart"})
        await press(merchant, path, "choose", channel="bank_transfer")
        if after_ms:
            await merchant.control(f"transactions/{reference}/transfer", after_ms=after_ms)
        cancelled = await merchant.http.post(path, data={"action": "cancel"})
        assert cancelled.headers["location"] == "https://shop.test/cart"
        assert (await merchant.verify(reference))["status"] == status
    await merchant.wait_for_status(reference, "success")


async def test_button_of_an_outdated_page_changes_nothing(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(shared_merchant)
    for action, fields in (("approve", {}), ("choose", {"channel": "qr"}), ("send_code", {"answer": "1234"})):
        assert 'name="card"' in (await press(shared_merchant, path, action, **fields)).text
    assert (await shared_merchant.verify(reference))["status"] == "abandoned"
    await shared_merchant.pay(reference)
    assert (await press(shared_merchant, path, "transfer")).headers["location"].startswith(BACK)
    assert (await shared_merchant.verify(reference))["channel"] == "card"


async def test_page_after_the_payment_session_has_expired(isolated_merchant: Merchant) -> None:
    timeout = "/integration/payment_session_timeout"
    await isolated_merchant.call("PUT", timeout, json={"timeout": 1})
    path, reference = await open_checkout(isolated_merchant)
    await isolated_merchant.wait_for_session_end(reference)
    assert "This checkout has expired" in (await isolated_merchant.http.get(path)).text
    assert "This checkout has expired" in (await isolated_merchant.http.post(path, data={"action": "pay"})).text
    assert "This checkout has expired" in (await press(isolated_merchant, path, "choose", channel="ussd")).text
    assert (await isolated_merchant.verify(reference))["status"] == "abandoned"
