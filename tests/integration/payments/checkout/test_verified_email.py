"""PAYMENTS_REQUIRE_VERIFIED_EMAIL: only accounts with a verified address can pay."""

from uuid import UUID

import httpx
import pytest

from services.payments import auth
from services.payments.settings import settings
from tests.factories.payments import create_card
from tests.fixtures.payments_start import ORDER, start
from tests.fixtures.tokens import Signer

pytestmark = pytest.mark.usefixtures("order")


@pytest.mark.parametrize("required", [True, False])
async def test_pay_when_the_address_is_not_verified_is_refused_if_the_setting_demands_it(
    client: httpx.AsyncClient, signer: Signer, monkeypatch: pytest.MonkeyPatch, required: bool
) -> None:
    monkeypatch.setattr(auth, "settings", settings.model_copy(update={"payments_require_verified_email": required}))
    for claims in ({}, {"email_verified": False}, {"email_verified": None}):
        answer = await start(client, signer.headers("customer-1", **claims))
        assert answer.status_code == (403 if required else 201), answer.text
        if required:
            assert answer.json()["code"] == "email_not_verified"
    assert (await start(client, signer.headers("customer-1", email_verified=True))).status_code == 201


async def test_pay_with_a_saved_card_when_the_address_is_not_verified_is_refused(
    client: httpx.AsyncClient, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "settings", settings.model_copy(update={"payments_require_verified_email": True}))
    card = await create_card(customer_id="customer-1")
    body = {"order_id": str(UUID(ORDER)), "card_id": str(card.id)}
    headers = {**signer.headers("customer-1"), "Idempotency-Key": "one"}
    answer = await client.post("/payments/charge", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "email_not_verified")
