"""The limit on the rate of all requests, for each account and for each address."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import Depends

from contracts.tokens import AccessClaims
from kit.auth import Caller, TokenVerifier, authenticate
from kit.http.routing import Router
from tests.fakes.jwks_endpoint import JwksEndpoint
from tests.fixtures.apps import RunningApp, running
from tests.fixtures.sample_app import make_app
from tests.fixtures.tokens import ISSUER, Signer

GATEWAY = "10.0.0.5"
router = Router()


@router.get("/own")
async def own(caller: Annotated[Caller, Depends(authenticate)]) -> str:
    return caller.id


@router.get("/public")
async def public() -> str:
    return "public"


@dataclass
class Shop:
    """An app behind the gateway."""

    app: RunningApp
    signer: Signer
    endpoint: JwksEndpoint

    def client(self, peer: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(peer, 40000))
        return httpx.AsyncClient(transport=transport, base_url="http://sample.test")

    async def statuses(self, count: int, path: str, client: str = "198.51.100.1", **headers: str) -> list[int]:
        """Send requests that come from `client` through the gateway."""
        async with self.client(GATEWAY) as gateway:
            sent = {"X-Forwarded-For": client, **headers}
            return [(await gateway.get(path, headers=sent)).status_code for _ in range(count)]

    async def empty_bucket(self) -> None:
        """Use up the requests of the address."""
        while (await self.statuses(1, "/public"))[0] != 429:
            pass


@asynccontextmanager
async def running_shop(signer: Signer, **limits: Any) -> AsyncIterator[Shop]:
    endpoint = JwksEndpoint(signer)
    settings: dict[str, Any] = {
        "trusted_proxies": GATEWAY,
        "rate_limit_per_address": 3,
        "rate_limit_per_account_total": 4,
        **limits,
    }
    app = make_app([router], **settings)
    async with running(app, verifier=TokenVerifier(endpoint, issuer=ISSUER, audience="shop")) as started:
        yield Shop(started, signer, endpoint)


@pytest.fixture
async def shop(signer: Signer) -> AsyncIterator[Shop]:
    async with running_shop(signer) as found:
        yield found


async def test_requests_without_a_token_are_limited_for_each_address(shop: Shop) -> None:
    assert await shop.statuses(5, "/public") == [200] * 3 + [429] * 2
    async with shop.client(GATEWAY) as gateway:
        refused = await gateway.get("/public", headers={"X-Forwarded-For": "198.51.100.1"})
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many_requests", "20")
    assert refused.headers["content-type"] == "application/problem+json"
    assert await shop.statuses(1, "/public", "198.51.100.2") == [200]
    assert await shop.statuses(1, "/livez") == [200]

    ipv6 = [(await shop.statuses(1, "/public", f"2001:db8::{number}"))[0] for number in range(5)]
    assert ipv6 == [200] * 3 + [429] * 2, "one /64 network is one client"
    assert await shop.statuses(1, "/public", "2001:db8:0:1::1") == [200]

    async with shop.client("203.0.113.7") as direct:
        spoofed = [
            (await direct.get("/public", headers={"X-Forwarded-For": f"1.1.1.{n}"})).status_code for n in range(5)
        ]
    assert spoofed == [200] * 3 + [429] * 2, "a peer that is no proxy cannot choose its address"


async def test_address_without_a_trusted_proxy_is_not_limited(signer: Signer) -> None:
    async with running_shop(signer, trusted_proxies="", rate_limit_per_address=1) as shop:
        assert await shop.statuses(5, "/public") == [200] * 5


FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def invalid_authorization(kind: str, signer: Signer) -> str:
    """Return an Authorization header that is no valid access token."""
    foreign = copy(signer)
    foreign.key = FOREIGN_KEY
    if kind == "unknown key":
        foreign.kid = "other"
    match kind:
        case "expired":
            return signer.headers(exp=1)["Authorization"]
        case "forged" | "unknown key":
            return foreign.headers()["Authorization"]
        case "basic":
            return f"Basic {base64.b64encode(b'client:secret').decode()}"
        case _:
            return kind


KINDS = ["x", "Bearer", "Bearer x", "Bearer a.b.c", "basic", "expired", "forged", "unknown key", "Bearer " + "x" * 9000]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[:12])
@pytest.mark.parametrize(("path", "answer"), [("/public", 200), ("/own", 401)])
async def test_invalid_token_does_not_switch_the_limit_of_the_address_off(
    shop: Shop, kind: str, path: str, answer: int
) -> None:
    header = invalid_authorization(kind, shop.signer)
    assert await shop.statuses(5, path, Authorization=header) == [answer] * 3 + [429] * 2


async def test_each_invalid_token_is_counted_for_its_address(shop: Shop) -> None:
    guesses = [
        (await shop.statuses(1, "/own", Authorization=f"Bearer {shop.signer.token(exp=number)}"))[0]
        for number in range(1, 6)
    ]
    assert guesses == [401] * 3 + [429] * 2


async def test_customers_with_new_tokens_are_served_while_another_client_has_used_up_their_address(shop: Shop) -> None:
    await shop.empty_bucket()
    assert await shop.statuses(1, "/own", Authorization="Bearer guess") == [429]
    for _ in range(20):
        assert await shop.statuses(1, "/own", **shop.signer.headers()) == [200]
        assert await shop.statuses(1, "/public", **shop.signer.headers()) == [200]


async def test_valid_tokens_take_nothing_from_the_limit_of_their_address(shop: Shop) -> None:
    for _ in range(20):
        assert await shop.statuses(1, "/own", **shop.signer.headers()) == [200]
    assert await shop.statuses(3, "/public") == [200] * 3


async def test_all_requests_of_an_account_are_limited_together(shop: Shop) -> None:
    def token() -> dict[str, str]:
        return shop.signer.headers("ada")  # another token of the same account each time

    assert await shop.statuses(1, "/public", **token()) == [200], "public routes count too"
    assert await shop.statuses(1, "/nowhere", **token()) == [404]
    assert await shop.statuses(3, "/own", **token()) == [200, 200, 429]
    assert await shop.statuses(1, "/own", "198.51.100.2", **token()) == [429], "from any address"
    async with shop.client(GATEWAY) as client:
        refused = await client.get("/own", headers=token())
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many_requests", "15")
    assert await shop.statuses(1, "/livez", **token()) == [200]
    assert await shop.statuses(1, "/own", **shop.signer.headers("ben")) == [200]


async def test_accounts_are_limited_without_a_trusted_proxy(signer: Signer) -> None:
    async with running_shop(signer, trusted_proxies="") as shop:
        assert await shop.statuses(6, "/own", **signer.headers("ada")) == [200] * 4 + [429] * 2


async def test_token_is_verified_once_for_each_request(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    verify = TokenVerifier.verify

    async def count(verifier: TokenVerifier, token: str) -> AccessClaims:
        verified.append(token)
        return await verify(verifier, token)

    monkeypatch.setattr(TokenVerifier, "verify", count)
    for token, status in ((shop.signer.token(), 200), (shop.signer.token(exp=1), 401)):
        assert await shop.statuses(1, "/own", Authorization=f"Bearer {token}") == [status]
        assert verified.pop() == token
        assert verified == []


async def test_token_that_cannot_be_verified_is_counted_for_its_address(shop: Shop) -> None:
    shop.endpoint.unavailable = True
    assert await shop.statuses(5, "/own", **shop.signer.headers()) == [503] * 3 + [429] * 2
