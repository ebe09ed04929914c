"""An ended session: every service refuses its access token, also while auth is down."""

from collections.abc import Awaitable, Callable

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from contracts.tokens import PROGRAM_SCOPES
from kit.db.engine import create_engine
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.stack_client import Json, StackClient, until

SECONDS = 10
"""The longest time for which an access token is accepted after its session has ended."""


def routes(shop: StackClient) -> list[str]:
    return [
        f"{shop.env['AUTH_URL']}/auth/me",
        f"{shop.env['CATALOG_URL']}/catalog/orders",
        f"{shop.env['PAYMENTS_URL']}/payments",
    ]


async def statuses(shop: StackClient, headers: Json, urls: list[str]) -> list[int]:
    return [(await shop.call("GET", url, headers=headers)).status_code for url in urls]


async def test_access_token_when_its_session_has_ended_is_refused_by_every_service(shop: StackClient) -> None:
    async with httpx.AsyncClient(base_url=shop.env["AUTH_URL"], trust_env=False, timeout=30) as http:
        auth = AuthClient(http)
        email = (await auth.register()).json()["email"]
        ended, other = (await auth.login(email)).json(), (await auth.login(email)).json()
        ended_headers, other_headers = [{"Authorization": f"Bearer {one['access_token']}"} for one in (ended, other)]
        assert await statuses(shop, ended_headers, routes(shop)) == [200, 200, 200]
        await auth.revoke(ended["refresh_token"])

    async def refused() -> bool | None:
        return await statuses(shop, ended_headers, routes(shop)) == [401, 401, 401] or None

    await until(refused, SECONDS)
    assert await statuses(shop, other_headers, routes(shop)) == [200, 200, 200]
    await shop.stack.stop("auth")
    try:
        assert await statuses(shop, ended_headers, routes(shop)[1:]) == [401, 401], "the last list stays in force"
        assert await statuses(shop, other_headers, routes(shop)[1:]) == [200, 200]
    finally:
        await shop.stack.start("auth")


async def ban(auth: AuthClient, account: Json, manager: Json) -> None:
    answer = await auth.http.post(f"/auth/users/{account['id']}/ban", json={"reason": "Test"}, headers=manager)
    assert answer.status_code == 200, answer.text


async def demote(auth: AuthClient, account: Json, manager: Json) -> None:
    answer = await auth.http.patch(f"/auth/users/{account['id']}", json={"role": "customer"}, headers=manager)
    assert answer.status_code == 200, answer.text


async def change_password(auth: AuthClient, account: Json, _: Json) -> None:
    body = {"current_password": PASSWORD, "new_password": "six lamps in the harbour"}
    other_session = await auth.logged_in(account["email"])
    answer = await auth.http.post("/auth/me/password", json=body, headers=other_session)
    assert answer.status_code == 204, answer.text


async def delete(auth: AuthClient, account: Json, _: Json) -> None:
    body, other_session = {"password": PASSWORD}, await auth.logged_in(account["email"])
    answer = await auth.http.post("/auth/me/delete", json=body, headers=other_session)
    assert answer.status_code == 202, answer.text


async def make_support(shop: StackClient, account: Json) -> None:
    engine = create_engine(SecretStr(shop.env["AUTH_DATABASE_URL"]), name="test")
    try:
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE accounts SET role = 'support' WHERE id = :id"), {"id": account["id"]})
    finally:
        await engine.dispose()


async def test_access_token_after_a_ban_demotion_new_password_or_deletion_is_refused_by_every_service(
    shop: StackClient,
) -> None:
    manager = shop.bearer("reporter", PROGRAM_SCOPES, client_id="reporter", email=None)
    acts: list[Callable[[AuthClient, Json, Json], Awaitable[None]]] = [ban, demote, change_password, delete]
    ended: list[Json] = []
    async with httpx.AsyncClient(base_url=shop.env["AUTH_URL"], trust_env=False, timeout=30) as http:
        auth = AuthClient(http)
        for act in acts:
            account = (await auth.register()).json()
            if act is demote:
                await make_support(shop, account)
            ended.append(await auth.logged_in(account["email"]))
            assert await statuses(shop, ended[-1], routes(shop)) == [200, 200, 200]
            await act(auth, account, manager)

    async def refused() -> bool | None:
        return all([await statuses(shop, headers, routes(shop)) == [401, 401, 401] for headers in ended]) or None

    await until(refused, SECONDS)
