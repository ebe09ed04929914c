"""An ended session: every service refuses its access token, also while auth is down."""

import httpx

from tests.fixtures.auth import AuthClient
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
