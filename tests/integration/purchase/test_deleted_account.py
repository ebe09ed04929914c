"""After the deletion of an account, no database contains its e-mail address, name or telephone number."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, select, text, update

from services.auth.accounts import events, records
from services.auth.accounts.deletion import delete_account
from services.auth.db import db_sessions
from services.auth.mail.models import Mail
from services.auth.mail.template_names import Template
from services.auth.models import Account, OutboxRow
from services.auth.sessions import refresh_tokens
from services.auth.sessions.details import SessionDetails
from services.auth.throttling import failed_logins
from tests.fixtures.in_process_shop import InProcessShop
from tests.fixtures.owners import owner_sessions
from tests.fixtures.personal_data import tables_with
from tests.fixtures.tokens import Signer

EMAIL, NAME, PHONE = "chinwe.okafor@example.com", "Chinwe Okafor", "+2348031234567"
NEW_EMAIL = "chinwe@example.org"


@pytest.fixture
async def account(shop: InProcessShop) -> AsyncIterator[Account]:
    """An account with a session, a failed login, mails and a changed address, in auth's database, which is emptied afterwards."""
    async with db_sessions.begin() as session:
        created = await records.create(session, email=EMAIL, name=NAME, password_hash="no hash")
        await refresh_tokens.begin_session(
            session, created, "shop", "orders:write", SessionDetails("Browser", "127.0.0.1")
        )
        await failed_logins.start_attempt(session, failed_logins.key_of_name(EMAIL))
        for account_id in (created.id, None):
            session.add(Mail(account_id=account_id, recipient=NEW_EMAIL, template=Template.VERIFY_EMAIL, context={}))
    yield created
    async with owner_sessions("auth").begin() as session:
        await session.execute(text("TRUNCATE accounts, outbox, ended_accounts, revocations, failed_logins CASCADE"))


async def relay(shop: InProcessShop) -> list[str]:
    """Deliver the events of auth's outbox to the queues that are bound to them. Return their types."""
    async with db_sessions.begin() as session:
        rows = (await session.execute(select(OutboxRow.type, OutboxRow.body).order_by(OutboxRow.id))).all()
        await session.execute(delete(OutboxRow))
    shop.catalog.queue += [row.body for row in rows]
    shop.payments.queue += [row.body for row in rows if row.type != "account.changed"]
    for service in (shop.catalog, shop.payments):
        await service.consume()
    return [row.type for row in rows]


async def test_account_when_deleted_leaves_no_personal_data_in_three_databases(
    shop: InProcessShop, account: Account, signer: Signer
) -> None:
    headers = signer.headers(str(account.id), email=EMAIL, name=NAME)
    product = await shop.create_product(stock=5)
    placed = await shop.request(
        "POST", "/catalog/orders", {"items": [{"product_id": product, "quantity": 1}]}, by=headers
    )
    order = placed.json()["id"]
    started = await shop.request("POST", "/payments", {"order_id": order, "phone": PHONE}, by=headers)
    assert started.status_code == 201, started.text
    shop.paystack.pay(shop.paystack.transactions[started.json()["reference"]], paid=50_000)
    await shop.deliver_webhooks()
    await shop.run_jobs()
    assert (await shop.request("GET", f"/catalog/orders/{order}", by=headers)).json()["status"] == "delivered"

    async with db_sessions.begin() as session:
        await session.execute(update(Account).where(Account.id == account.id).values(email=NEW_EMAIL))
        await events.publish_change(session, account.id)
    assert await relay(shop) == ["account.changed"]
    assert {"auth.accounts", "catalog.orders"} <= await tables_with(NEW_EMAIL)
    assert "payments.payments" in await tables_with(EMAIL)
    assert {"auth.accounts", "catalog.orders"} <= await tables_with(NAME)
    assert "catalog.inbox" not in await tables_with(NEW_EMAIL)

    async with db_sessions.begin() as session:
        assert await delete_account(session, account.id)
    assert await relay(shop) == ["account.deleted"]
    await shop.run_jobs()
    for value in (EMAIL, NEW_EMAIL, NAME, PHONE):
        assert await tables_with(value) == set(), value
    shown = (await shop.request("GET", f"/catalog/orders/{order}", by=shop.operator)).json()
    assert (shown["status"], shown["customer"]) == (
        "delivered",
        {"id": str(account.id), "email": None, "name": None, "phone": None, "external_id": None},
    )
    (paid,) = await shop.rows(shop.payments, "SELECT amount, paid_amount, customer_id, status FROM payments")
    assert tuple(paid) == (50_000, 50_000, str(account.id), "succeeded"), "the books are complete"
