"""A card is forgotten for good: here at once, and at Paystack in a moment."""

import json
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from services.payments.db import sessions
from services.payments.paystack.errors import PaystackError
from tests.conftest import Signer
from tests.payments.bank import LOST, Bank, Json, authorization
from tests.payments.conftest import charge, payment, send, settle_all
from tests.payments.wallet import ME, OTHER, bought, cards, forget_all, ordered, repeat, rows, saved, success


async def test_forgotten_here_and_at_paystack(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    bank.codes = {"AUTH_4081"}
    card = await saved(client, mine)
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=mine)).status_code == 204
    assert await cards(client, mine) == []
    assert (await repeat(client, mine, ordered(orders), card)).json()["code"] == "card_not_found"
    await forget_all()
    assert bank.codes == set()
    (row,) = await rows()
    assert (row.authorization_code, row.email, row.last4, row.brand, row.bank) == (None,) * 5
    again = await client.delete(f"/payments/cards/{card['id']}", headers=mine)
    assert (again.status_code, again.json()["code"]) == (404, "card_not_found")


async def test_nobody_forgets_for_another(client: httpx.AsyncClient, mine: dict[str, str], signer: Signer) -> None:
    card = await saved(client, mine)
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=signer.headers(OTHER))).status_code == 404
    assert len(await cards(client, mine)) == 1


async def test_forgotten_while_paystack_is_away(client: httpx.AsyncClient, bank: Bank, mine: dict[str, str]) -> None:
    bank.codes, bank.down = {"AUTH_4081"}, True
    card = await saved(client, mine)
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=mine)).status_code == 204
    with pytest.raises(PaystackError):
        await forget_all()
    bank.down = False
    async with sessions.begin() as session:
        await session.execute(text("UPDATE cards SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL"))
    await forget_all()
    assert bank.codes == set()


async def test_a_late_notice_does_not_bring_a_forgotten_card_back(
    client: httpx.AsyncClient, bank: Bank, mine: dict[str, str]
) -> None:
    late = await payment(payer_id=ME)
    one = await bought(client, authorization())
    (card,) = await cards(client, mine)
    begun = await payment(payer_id=ME)
    await client.delete(f"/payments/cards/{card['id']}", headers=mine)
    for _ in range(2):
        for reference in (one.reference, late.reference, begun.reference):
            await send(client, charge(reference, id=1, authorization=authorization(), note=str(uuid4())))
        await settle_all()
        assert await cards(client, mine) == []
        await forget_all()
    # Who pays with it again, afterwards, has it again.
    await bought(client, authorization(authorization_code="AUTH_new"))
    (back,) = await cards(client, mine)
    assert back["id"] == card["id"]
    assert [row.authorization_code for row in await rows()] == ["AUTH_new"]


async def test_a_test_card_is_none_of_the_live_key(client: httpx.AsyncClient, mine: dict[str, str]) -> None:
    await bought(client, authorization())
    async with sessions.begin() as session:
        await session.execute(text("UPDATE cards SET domain = 'live'"))
    assert await cards(client, mine) == []


async def test_codes_are_in_no_log(
    client: httpx.AsyncClient,
    bank: Bank,
    orders: dict[str, Json],
    mine: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    card = await saved(client, mine)
    for answer in (success, lambda body: success(body, status="failed"), lambda _: LOST):
        bank.charge = answer
        await repeat(client, mine, ordered(orders), card)
    bank.down = True
    await client.delete(f"/payments/cards/{card['id']}", headers=mine)
    with pytest.raises(PaystackError):
        await forget_all()
    said = caplog.text + json.dumps(capsys.readouterr())
    assert "request" in said
    assert "AUTH_" not in said
