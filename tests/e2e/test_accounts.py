"""What happens to an account in auth reaches catalog and payments over the broker."""

from uuid import UUID

import httpx
from pydantic import SecretStr

from kit.db.engine import create_engine, create_sessionmaker
from services.auth.accounts.deletion import delete_account
from tests.fixtures.auth import AuthClient
from tests.fixtures.stack_client import StackClient, until


async def test_account_when_deleted_is_erased_from_orders_and_payments(shop: StackClient) -> None:
    async with httpx.AsyncClient(base_url=shop.env["AUTH_URL"], trust_env=False, timeout=30) as http:
        auth = AuthClient(http)
        account = (await auth.register(name="Ada Obi")).json()
        token = (await auth.login(account["email"])).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    order = await shop.order(headers, await shop.product())
    payment = await shop.start_payment(headers, order)
    await shop.pay(payment["reference"])
    await shop.wait_delivered(headers, order)
    url = f"{shop.env['CATALOG_URL']}/catalog/orders/{order['id']}"
    customer = {"id": account["id"], "email": account["email"], "name": "Ada Obi", "phone": None, "external_id": None}
    assert (await shop.call("GET", url, headers=shop.admin, expect=200)).json()["customer"] == customer

    engine = create_engine(SecretStr(shop.env["AUTH_DATABASE_URL"]), name="test")
    try:
        async with create_sessionmaker(engine).begin() as session:
            assert await delete_account(session, UUID(account["id"]))
    finally:
        await engine.dispose()

    async def erased() -> bool | None:
        found = (await shop.call("GET", url, headers=shop.admin, expect=200)).json()["customer"]
        return found == dict.fromkeys(customer) | {"id": account["id"]} or None

    await until(erased)
    engine = create_engine(SecretStr(shop.env["PAYMENTS_DATABASE_URL"]), name="test")
    try:

        async def forgotten() -> bool | None:
            async with engine.connect() as connection:
                query = f"SELECT email FROM payments WHERE reference = '{payment['reference']}'"
                return (await connection.exec_driver_sql(query)).scalar_one() is None or None

        await until(forgotten)
    finally:
        await engine.dispose()
