import base64
import hashlib
import re
from typing import Any

import httpx
import pytest

from tests.sandbox.merchant import ORIGIN, Merchant
from tests.sandbox.receiver import Receiver


async def opened(merchant: Merchant, **fields: Any) -> tuple[str, str]:
    """The path of a checkout page, and the reference of its transaction."""
    started = await merchant.start(**fields)
    return started["authorization_url"].removeprefix(ORIGIN), started["reference"]


async def press(merchant: Merchant, path: str, action: str, card: str = "success") -> httpx.Response:
    return await merchant.http.post(path, data={"action": action, "card": card})


async def test_the_page(shared: Merchant) -> None:
    path, reference = await opened(shared, email="a&b@example.com", amount=123_456_789, currency="GHS")
    page = await shared.http.get(path)
    assert page.status_code == 200
    for words in ("Sandbox Shop", "a&amp;b@example.com", "GHS\N{NO-BREAK SPACE}1,234,567.89", "TEST", reference):
        assert words in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_the_page_needs_nothing_but_itself(shared: Merchant) -> None:
    path, _ = await opened(shared)
    page = await shared.http.get(path)
    style = re.search(r"<style>(.*)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{digest}'" in policy
    assert not re.search(r"<script|src=|url\(|https?://", page.text)


async def test_text_of_others_is_escaped(shared: Merchant) -> None:
    path, reference = await opened(shared, label="<script>alert(1)</script>", callback_url='https://a.test/"><script>')
    assert "<script" not in (await shared.http.get(path)).text
    await shared.pay(reference)
    assert "<script" not in (await shared.http.get(path)).text
    assert "<script" not in (await shared.http.get("/")).text


@pytest.mark.parametrize(
    ("callback_url", "target"),
    [
        ("https://shop.test/back", "https://shop.test/back?trxref={0}&reference={0}"),
        ("https://shop.test/back?a=1", "https://shop.test/back?a=1&trxref={0}&reference={0}"),
        ("https://shop.test/back?a=1#b", "https://shop.test/back?a=1&trxref={0}&reference={0}#b"),
        ("https://shop.test", "https://shop.test?trxref={0}&reference={0}"),
    ],
)
async def test_pay_leads_back_to_the_shop(shared: Merchant, callback_url: str, target: str) -> None:
    path, reference = await opened(shared, callback_url=callback_url)
    answer = await press(shared, path, "pay")
    assert (answer.status_code, answer.headers["location"]) == (303, target.format(reference))
    assert (await shared.verify(reference))["status"] == "success"


async def test_pay_without_an_address_to_return_to(shared: Merchant) -> None:
    path, _ = await opened(shared)
    answer = await press(shared, path, "pay")
    assert answer.status_code == 200
    assert "Payment successful" in answer.text


async def test_the_redirect_does_not_wait_for_the_webhook(merchant: Merchant, receiver: Receiver) -> None:
    path, reference = await opened(merchant, callback_url="https://shop.test/back")
    receiver.held.add(reference.encode())
    assert (await press(merchant, path, "pay")).status_code == 303
    await receiver.wait(1)
    assert (await merchant.webhooks())["pending"] == 1


@pytest.mark.parametrize(
    ("action", "card", "words"),
    [
        ("pay", "declined", "Declined"),
        ("pay", "insufficient-funds", "Insufficient funds"),
        ("decline", "success", "Declined"),
    ],
)
async def test_a_refused_card_can_be_followed_by_another(shared: Merchant, action: str, card: str, words: str) -> None:
    path, reference = await opened(shared, callback_url="https://shop.test/back")
    answer = await press(shared, path, action, card)
    assert answer.status_code == 200
    assert f"<strong>{words}.</strong> Nothing was charged" in answer.text
    transaction = await shared.verify(reference)
    assert (transaction["status"], transaction["gateway_response"]) == ("failed", words)
    assert (await press(shared, path, "pay")).status_code == 303
    assert (await shared.verify(reference))["status"] == "success"


async def test_cancel_leads_where_the_shop_said(shared: Merchant) -> None:
    path, reference = await opened(shared, metadata={"cancel_action": "https://shop.test/cart?from=x"})
    answer = await press(shared, path, "cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, "https://shop.test/cart?from=x")
    assert (await shared.verify(reference))["status"] == "abandoned"


@pytest.mark.parametrize("metadata", [None, {}, [1], "words", {"cancel_action": "javascript:alert(1)"}])
async def test_cancel_without_a_good_address_closes_the_page(shared: Merchant, metadata: Any) -> None:
    path, reference = await opened(shared, metadata=metadata)
    answer = await press(shared, path, "cancel")
    assert answer.status_code == 200
    assert "Checkout closed" in answer.text
    assert (await shared.pay(reference)).status_code == 200  # still to be paid


async def test_a_second_click_leads_where_the_first_led(merchant: Merchant, receiver: Receiver) -> None:
    path, _ = await opened(merchant, callback_url="https://shop.test/back")
    first, second = await press(merchant, path, "pay"), await press(merchant, path, "pay")
    assert first.headers["location"] == second.headers["location"]
    await merchant.webhooks(pending=0, delivered=1)
    page = await merchant.http.get(path)
    assert "already paid" in page.text
    assert first.headers["location"].replace("&", "&amp;") in page.text


async def test_an_unknown_page(shared: Merchant) -> None:
    for answer in (await shared.http.get("/checkout/nothing"), await press(shared, "/checkout/nothing", "pay")):
        assert answer.status_code == 404
        assert "There is nothing to pay here" in answer.text


async def test_a_form_that_no_page_sends(shared: Merchant) -> None:
    path, reference = await opened(shared)
    assert (await press(shared, path, "steal")).status_code == 422
    assert (await press(shared, path, "pay", "gold")).status_code == 422
    assert (await shared.verify(reference))["status"] == "abandoned"


async def test_the_overview_lists_what_happened(shared: Merchant) -> None:
    path, reference = await opened(shared)
    overview = await shared.http.get("/")
    assert overview.status_code == 200
    assert reference in overview.text
    assert f'href="{path.removeprefix("/")}"' in overview.text
