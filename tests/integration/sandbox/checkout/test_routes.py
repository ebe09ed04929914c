import base64
import hashlib
import re
from typing import Any

import httpx
import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import ORIGIN, Merchant


async def open_checkout(merchant: Merchant, **fields: Any) -> tuple[str, str]:
    """Initialize a transaction, and return the path of its checkout page and its reference."""
    started = await merchant.start(**fields)
    return started["authorization_url"].removeprefix(ORIGIN), started["reference"]


async def press_button(merchant: Merchant, path: str, action: str, card: str = "success") -> httpx.Response:
    return await merchant.http.post(path, data={"action": action, "card": card})


async def test_page_of_a_transaction_shows_shop_payer_and_amount(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(shared_merchant, email="a&b@example.com", amount=123_456_789, currency="GHS")
    page = await shared_merchant.http.get(path)
    assert page.status_code == 200
    for text in ("Sandbox Shop", "a&amp;b@example.com", "GHS\N{NO-BREAK SPACE}1,234,567.89", "TEST", reference):
        assert text in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_page_of_a_transaction_loads_nothing_else(shared_merchant: Merchant) -> None:
    path, _ = await open_checkout(shared_merchant)
    page = await shared_merchant.http.get(path)
    style = re.search(r"<style>(.*)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{digest}'" in policy
    assert not re.search(r"<script|src=|url\(|https?://", page.text)


async def test_page_with_html_in_its_fields_escapes_it(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(
        shared_merchant, label="<script>alert(1)</script>", callback_url='https://a.test/"><script>'
    )
    assert "<script" not in (await shared_merchant.http.get(path)).text
    await shared_merchant.pay(reference)
    assert "<script" not in (await shared_merchant.http.get(path)).text
    assert "<script" not in (await shared_merchant.http.get("/")).text


@pytest.mark.parametrize(
    ("callback_url", "target"),
    [
        ("https://shop.test/back", "https://shop.test/back?trxref={0}&reference={0}"),
        ("https://shop.test/back?a=1", "https://shop.test/back?a=1&trxref={0}&reference={0}"),
        ("https://shop.test/back?a=1#b", "https://shop.test/back?a=1&trxref={0}&reference={0}#b"),
        ("https://shop.test", "https://shop.test?trxref={0}&reference={0}"),
    ],
)
async def test_pay_with_a_callback_url_redirects_with_the_reference(
    shared_merchant: Merchant, callback_url: str, target: str
) -> None:
    path, reference = await open_checkout(shared_merchant, callback_url=callback_url)
    response = await press_button(shared_merchant, path, "pay")
    assert (response.status_code, response.headers["location"]) == (303, target.format(reference))
    assert (await shared_merchant.verify(reference))["status"] == "success"


async def test_pay_without_a_callback_url_shows_a_receipt(shared_merchant: Merchant) -> None:
    path, _ = await open_checkout(shared_merchant)
    response = await press_button(shared_merchant, path, "pay")
    assert response.status_code == 200
    assert "Payment successful" in response.text


async def test_pay_with_an_unanswered_webhook_redirects_at_once(merchant: Merchant, receiver: WebhookReceiver) -> None:
    path, reference = await open_checkout(merchant, callback_url="https://shop.test/back")
    receiver.unanswered.add(reference.encode())
    assert (await press_button(merchant, path, "pay")).status_code == 303
    await receiver.wait(1)
    assert (await merchant.webhooks())["pending"] == 1


@pytest.mark.parametrize(
    ("action", "card", "text"),
    [
        ("pay", "declined", "Declined"),
        ("pay", "insufficient-funds", "Insufficient funds"),
        ("decline", "success", "Declined"),
    ],
)
async def test_pay_after_a_declined_card_succeeds_with_another(
    shared_merchant: Merchant, action: str, card: str, text: str
) -> None:
    path, reference = await open_checkout(shared_merchant, callback_url="https://shop.test/back")
    response = await press_button(shared_merchant, path, action, card)
    assert response.status_code == 200
    assert f"<strong>{text}.</strong> Nothing was charged" in response.text
    transaction = await shared_merchant.verify(reference)
    assert (transaction["status"], transaction["gateway_response"]) == ("failed", text)
    assert (await press_button(shared_merchant, path, "pay")).status_code == 303
    assert (await shared_merchant.verify(reference))["status"] == "success"


async def test_cancel_with_a_cancel_action_redirects_to_it(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(shared_merchant, metadata={"cancel_action": "https://shop.test/cart?from=x"})
    response = await press_button(shared_merchant, path, "cancel")
    assert (response.status_code, response.headers["location"]) == (303, "https://shop.test/cart?from=x")
    assert (await shared_merchant.verify(reference))["status"] == "abandoned"


@pytest.mark.parametrize("metadata", [None, {}, [1], "text", {"cancel_action": "javascript:alert(1)"}])
async def test_cancel_without_a_valid_cancel_action_shows_that_it_is_closed(
    shared_merchant: Merchant, metadata: Any
) -> None:
    path, reference = await open_checkout(shared_merchant, metadata=metadata)
    response = await press_button(shared_merchant, path, "cancel")
    assert response.status_code == 200
    assert "Payment cancelled" in response.text
    assert (await shared_merchant.pay(reference)).status_code == 200  # it can still be paid


async def test_pay_clicked_twice_redirects_to_the_same_address(merchant: Merchant, receiver: WebhookReceiver) -> None:
    path, _ = await open_checkout(merchant, callback_url="https://shop.test/back")
    first, second = await press_button(merchant, path, "pay"), await press_button(merchant, path, "pay")
    assert first.headers["location"] == second.headers["location"]
    await merchant.webhooks(pending=0, delivered=1)
    page = await merchant.http.get(path)
    assert "already paid" in page.text
    assert first.headers["location"].replace("&", "&amp;") in page.text


async def test_page_of_an_unknown_access_code_is_not_found(shared_merchant: Merchant) -> None:
    for response in (
        await shared_merchant.http.get("/checkout/nothing"),
        await press_button(shared_merchant, "/checkout/nothing", "pay"),
    ):
        assert response.status_code == 404
        assert "Checkout not found" in response.text


async def test_form_with_an_unknown_action_or_card_is_refused(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(shared_merchant)
    assert (await press_button(shared_merchant, path, "steal")).status_code == 422
    assert (await press_button(shared_merchant, path, "pay", "gold")).status_code == 422
    assert (await shared_merchant.verify(reference))["status"] == "abandoned"


async def test_overview_after_a_transaction_links_to_its_page(shared_merchant: Merchant) -> None:
    path, reference = await open_checkout(shared_merchant)
    overview = await shared_merchant.http.get("/")
    assert overview.status_code == 200
    assert reference in overview.text
    assert f'href="{path.removeprefix("/")}"' in overview.text
