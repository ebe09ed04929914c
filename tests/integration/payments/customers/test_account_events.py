"""auth's events about accounts erase or replace the customer of payments and cards, and keep the amounts."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select, text, update

from contracts.events import AccountDeleted, AccountMerged
from kit.messaging import inbox
from services.payments.cards.models import Card
from services.payments.consumed_events import handle
from services.payments.customers import account_events
from services.payments.customers.models import EndedAccount
from services.payments.db import sessions
from services.payments.models import Dispute, Payment
from tests.factories.accounts import account_deleted, account_merged
from tests.factories.payments import create_card, create_dispute, create_paid_payment, create_payment
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.tokens import Signer

ADDRESS = "ada@example.com"
EVIDENCE = {
    "customer_email": ADDRESS,
    "customer_name": "Ada Obi",
    "customer_phone": "+2348012345678",
    "delivery_address": "3 Marina Road, Lagos",
    "service_details": "Two cups",
}


async def apply(*events: AccountDeleted | AccountMerged) -> None:
    async with sessions.begin() as session:
        assert await handle(session, events) == {}


async def payment_columns(payment: Payment, *names: str) -> tuple[Any, ...]:
    async with sessions() as session:
        columns = [getattr(Payment, name) for name in names]
        return tuple((await session.execute(select(*columns).where(Payment.id == payment.id))).one())


async def card_of(card: Card) -> Card:
    async with sessions() as session:
        return await session.get_one(Card, card.id)


async def test_account_when_deleted_leaves_payments_without_address_and_deactivates_cards(jobs: Jobs) -> None:
    account = str(uuid4())
    payment = await create_paid_payment(
        customer_id=account, email=ADDRESS, phone="+2348012345678", client_metadata={"name": "Ada"}
    )
    dispute = await create_dispute(7, payment_id=payment.id, evidence=EVIDENCE)
    card = await create_card(customer_id=account, email=ADDRESS)
    others = await create_paid_payment(email="other@example.com")
    for _ in range(2):
        await apply(account_deleted(UUID(account)))
        assert await payment_columns(payment, "email", "phone", "client_metadata", "customer_id", "paid_amount") == (
            None,
            None,
            {},
            account,
            50_000,
        )
    async with sessions() as session:
        assert await session.scalar(select(Dispute.evidence).where(Dispute.id == dispute.id)) == {
            "service_details": "Two cups"
        }
    found = await card_of(card)
    assert (found.email, found.deactivated_at is not None, found.authorization_code is not None) == (None, True, True)
    await jobs.deactivate_cards()
    found = await card_of(card)
    assert (found.authorization_code, found.last4) == (None, None)
    assert await payment_columns(others, "email") == ("other@example.com",)


async def test_guest_when_merged_gives_payments_and_cards_to_the_account(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    guest, account = uuid4(), uuid4()
    payment = await create_paid_payment(customer_id=str(guest))
    await create_card(customer_id=str(guest), signature="SIG_1")
    event = account_merged(guest, account)
    for _ in range(2):
        await apply(event)
        assert await payment_columns(payment, "customer_id") == (str(account),)
    mine = signer.headers(str(account))
    assert (await client.get(f"/payments/{payment.reference}", headers=mine)).status_code == 200
    assert len((await client.get("/payments/cards", headers=mine)).json()["items"]) == 1
    assert (await client.get("/payments/cards", headers=signer.headers(str(guest)))).json()["items"] == []


@pytest.mark.parametrize(("code", "deactivated_at_paystack"), [("AUTH_same", False), ("AUTH_other", True)])
async def test_card_of_a_guest_when_the_account_has_it_already_is_not_saved_twice(
    code: str, deactivated_at_paystack: bool
) -> None:
    guest, account = uuid4(), uuid4()
    of_account = await create_card(customer_id=str(account), signature="SIG_1", authorization_code="AUTH_same")
    of_guest = await create_card(customer_id=str(guest), signature="SIG_1", authorization_code=code)
    for _ in range(2):
        await apply(account_merged(guest, account))
    kept, other = await card_of(of_account), await card_of(of_guest)
    assert (kept.deactivated_at, kept.authorization_code) == (None, "AUTH_same")
    assert other.deactivated_at is not None
    assert (other.next_attempt_at is not None) is deactivated_at_paystack
    assert (other.authorization_code is not None) is deactivated_at_paystack, "the code of the account stays usable"


async def test_payment_when_started_after_its_account_has_ended_is_found_by_the_job() -> None:
    guest, account, deleted = uuid4(), uuid4(), uuid4()
    await apply(account_merged(guest, account), account_deleted(deleted))
    of_guest = await create_payment(customer_id=str(guest))
    of_deleted = await create_payment(customer_id=str(deleted), email=ADDRESS)
    async with sessions.begin() as session:
        await account_events.reapply(session)
    assert await payment_columns(of_guest, "customer_id") == (str(account),)
    assert await payment_columns(of_deleted, "email") == (None,)


async def test_prune_deletes_ended_accounts_whose_events_cannot_arrive_again() -> None:
    old, recent = uuid4(), uuid4()
    await apply(account_deleted(old), account_deleted(recent))
    async with sessions.begin() as session:
        longer_ago = func.now() - inbox.RETENTION - text("interval '1 second'")
        await session.execute(update(EndedAccount).where(EndedAccount.account_id == old).values(ended_at=longer_ago))
        assert await account_events.prune(session) == 1
        assert list(await session.scalars(select(EndedAccount.account_id))) == [recent]
