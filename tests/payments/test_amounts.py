"""Amounts that nobody can mean: refused in words wherever money is asked for, with nothing done."""

import httpx
import pytest

from tests.conftest import ADMIN, Signer
from tests.payments.bank import Bank
from tests.payments.complaints import disputed, refunds
from tests.payments.conftest import payment

ODD = [
    "-1",
    "2147483648",
    "9223372036854775808",
    "1e308",
    "1e3",
    "NaN",
    "Infinity",
    "1.5",
    "10.0",
    '"10"',
    "true",
    "[]",
    "9" * 5000,
]


async def _refused(client: httpx.AsyncClient, signer: Signer, path: str, body: str) -> None:
    headers = signer.headers("operator-1", scopes=ADMIN) | {"Content-Type": "application/json"}
    answer = await client.post(path, content=body, headers=headers)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("amount", [*ODD, "0"], ids=lambda amount: amount[:20])
async def test_refunds(client: httpx.AsyncClient, signer: Signer, amount: str) -> None:
    one = await payment(status="succeeded", paid_amount=50_000, paid_currency="NGN")
    await _refused(client, signer, f"/payments/{one.reference}/refunds", f'{{"amount": {amount}}}')
    assert await refunds() == []


@pytest.mark.parametrize("amount", ODD, ids=lambda amount: amount[:20])
async def test_answers_to_disputes(client: httpx.AsyncClient, bank: Bank, signer: Signer, amount: str) -> None:
    _, body = await disputed(client, bank)
    answer = f'{{"resolution": "declined", "message": "no", "uploaded_filename": "a", "refund_amount": {amount}}}'
    await _refused(client, signer, f"/payments/disputes/{body['id']}/resolve", answer)
    assert bank.calls("resolve") == []


@pytest.mark.parametrize("verb", ["", "/charge", "/{}/accept", "/{}/bind"])
async def test_where_no_amount_is_asked_for_none_is_taken(client: httpx.AsyncClient, signer: Signer, verb: str) -> None:
    """What is owed is the order's to say."""
    one = await payment(status="held", held_reason="amount_differs", paid_amount=1, paid_currency="NGN")
    ids = f'"order_id": "{one.order_id}", "card_id": "{one.order_id}", "reason": "r"'
    for odd in ('"amount": 1', '"currency": "ngn"', '"amount": NaN'):
        await _refused(client, signer, f"/payments{verb.format(one.reference)}", f"{{{ids}, {odd}}}")
