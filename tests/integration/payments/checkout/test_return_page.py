"""The payer's return from Paystack: it asks Paystack, proves nothing, and waits for nobody."""

import httpx
import pytest

from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack
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
    assert "not confirmed yet" in answer.text
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
