"""Limits on the rate of requests."""

import httpx
import pytest

from kit.http.rate_limit import TokenBuckets, TooManyRequests
from tests.fixtures.sample_app import make_app

GATEWAY = "10.0.0.5"


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(buckets: TokenBuckets, key: str, count: int) -> int:
    """Return how many of `count` tokens could be taken."""
    found = 0
    for _ in range(count):
        try:
            buckets.take(key)
        except TooManyRequests:
            continue
        found += 1
    return found


def test_bucket_gives_the_limit_at_once_and_then_as_many_a_minute() -> None:
    clock = Clock()
    buckets = TokenBuckets(60, clock=clock)
    assert taken(buckets, "a", 200) == 60
    assert taken(buckets, "b", 1) == 1
    clock.now = 10
    assert taken(buckets, "a", 200) == 10
    clock.now = 10_000
    assert taken(buckets, "a", 200) == 60


@pytest.mark.parametrize(("per_minute", "wait"), [(60, "1"), (1, "60"), (7, "9"), (100_000, "1")])
def test_error_says_when_the_next_token_is_there(per_minute: int, wait: str) -> None:
    clock = Clock()
    buckets = TokenBuckets(per_minute, clock=clock)
    taken(buckets, "a", per_minute)
    with pytest.raises(TooManyRequests) as error:
        buckets.take("a")
    assert error.value.headers["Retry-After"] == wait
    clock.now = float(wait)
    buckets.take("a")


def test_number_of_buckets_has_a_limit() -> None:
    clock = Clock()
    buckets = TokenBuckets(1, size=3, clock=clock)
    for key in "abc":
        buckets.take(key)
    assert taken(buckets, "a", 1) == 0
    buckets.take("d")
    assert taken(buckets, "a", 1) == 0, "the bucket that was not used longest is forgotten, and this is another one"
    assert taken(buckets, "b", 1) == 1


def client_from(peer: str, app: object) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(peer, 40000))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://sample.test")


async def test_requests_without_a_token_are_limited_for_each_address() -> None:
    app = make_app(trusted_proxies=GATEWAY, rate_limit_per_address=3)
    async with client_from(GATEWAY, app) as gateway, client_from("203.0.113.7", app) as direct:

        async def get(client: str, path: str = "/fine", **headers: str) -> httpx.Response:
            return await gateway.get(path, headers={"X-Forwarded-For": client, **headers})

        assert [(await get("198.51.100.1")).status_code for _ in range(5)] == [200] * 3 + [429] * 2
        refused = await get("198.51.100.1")
        assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many_requests", "20")
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await get("198.51.100.2")).status_code == 200
        assert (await get("198.51.100.1", Authorization="Bearer x")).status_code == 200, "tokens are limited by account"
        assert (await get("198.51.100.1", "/livez")).status_code == 200

        six = [(await get(f"2001:db8::{number}")).status_code for number in range(5)]
        assert six == [200] * 3 + [429] * 2, "one /64 network is one client"
        assert (await get("2001:db8:0:1::1")).status_code == 200

        spoofed = [(await direct.get("/fine", headers={"X-Forwarded-For": f"1.1.1.{n}"})).status_code for n in range(5)]
        assert spoofed == [200] * 3 + [429] * 2, "a peer that is no proxy cannot choose its address"


async def test_nobody_is_limited_by_address_when_no_proxy_is_trusted() -> None:
    async with client_from("203.0.113.7", make_app(rate_limit_per_address=1)) as client:
        for _ in range(5):
            assert (await client.get("/fine", headers={"X-Forwarded-For": "198.51.100.1"})).status_code == 200
