"""The cached signing keys: used while auth is unavailable, fetched once for many requests, fetched again after a rotation."""

import asyncio
import base64
import contextlib
import json
from typing import Any

import pytest

from kit import jwks as module
from kit.auth import TokenVerifier
from kit.errors import NotAuthenticated, Unavailable
from kit.jwks import JwksCache, jwks_fetcher
from tests.fakes.jwks_endpoint import JwksEndpoint
from tests.fixtures.tokens import ISSUER, Signer


@pytest.fixture
def endpoint(signer: Signer) -> JwksEndpoint:
    return JwksEndpoint(signer)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the key cache, which the test moves."""
    now = [1000.0]

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(module, "time", Time)
    return now


def replace_kid(token: str, kid: str) -> str:
    """Return the token with another `kid` in its header. Its signature is no longer valid."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": kid}).encode())
    return f"{header.decode().rstrip('=')}.{token.partition('.')[2]}"


async def test_cached_keys_are_used_while_auth_is_unavailable(endpoint: JwksEndpoint, clock: list[float]) -> None:
    keys = JwksCache(endpoint)
    assert await keys.get("test-key") is not None
    endpoint.unavailable = True
    for _ in range(100):
        clock[0] += 3600
        assert await keys.get("test-key") is not None
    endpoint.unavailable = False
    clock[0] += 3600
    assert await keys.get("test-key") is not None


@pytest.mark.parametrize(
    "response", [{}, {"keys": []}, {"keys": None}, [], "x", {"keys": [{"kty": "RSA"}]}, {"keys": [1]}]
)
async def test_cached_keys_are_used_while_the_response_is_not_a_jwks(
    endpoint: JwksEndpoint, clock: list[float], response: Any
) -> None:
    keys = JwksCache(endpoint)
    assert await keys.get("test-key") is not None
    endpoint.response = response
    clock[0] += 3600
    assert await keys.get("test-key") is not None


async def test_verify_without_any_key_is_unavailable(endpoint: JwksEndpoint, signer: Signer) -> None:
    verifier = TokenVerifier(endpoint, issuer=ISSUER, audience="shop")
    endpoint.unavailable = True
    with pytest.raises(Unavailable):
        await verifier.verify(signer.token())


async def test_concurrent_requests_share_one_fetch_when_auth_is_unavailable(
    endpoint: JwksEndpoint, clock: list[float]
) -> None:
    keys = JwksCache(endpoint)
    endpoint.unavailable = True
    endpoint.may_respond.clear()
    tasks = [asyncio.create_task(keys.get("test-key")) for _ in range(50)]
    await endpoint.was_requested.wait()
    endpoint.may_respond.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert endpoint.requests == 1
    endpoint.unavailable = False
    clock[0] += 1.1
    assert await keys.get("test-key") is not None


async def test_unknown_kids_cause_few_fetches(endpoint: JwksEndpoint, clock: list[float]) -> None:
    keys = JwksCache(endpoint)
    assert await keys.get("test-key") is not None
    clock[0] += 11
    for number in range(200):
        assert await keys.get(f"kid-{number}") is None
        clock[0] += 0.1
    assert endpoint.requests <= 4


@pytest.mark.parametrize("failure", [None, {}, {"keys": []}], ids=["unreachable", "no JWKS", "no keys"])
async def test_unknown_kid_is_unavailable_until_a_fetch_succeeds(
    endpoint: JwksEndpoint, clock: list[float], signer: Signer, failure: Any
) -> None:
    verifier = TokenVerifier(endpoint, issuer=ISSUER, audience="shop")
    await verifier.verify(signer.token("ada"))
    rotated = Signer()
    rotated.kid = "new"
    token = rotated.token("ada")
    clock[0] += 11
    endpoint.unavailable, endpoint.response = failure is None, failure
    for _ in range(3):
        with pytest.raises(Unavailable):
            await verifier.verify(token)
        await verifier.verify(signer.token("ben"))
        clock[0] += 1
    assert endpoint.requests == 2, "the pause between two fetches is kept"
    clock[0] += 11
    endpoint.unavailable = False
    endpoint.response = {"keys": [*(await rotated.jwks())["keys"], *(await signer.jwks())["keys"]]}  # type: ignore[misc]
    assert (await verifier.verify(token)).sub == "ada"
    with pytest.raises(NotAuthenticated):
        await verifier.verify(replace_kid(token, "never"))


async def test_unknown_kid_after_a_fetch_that_succeeded_is_not_authenticated(
    endpoint: JwksEndpoint, clock: list[float], signer: Signer
) -> None:
    verifier = TokenVerifier(endpoint, issuer=ISSUER, audience="shop")
    endpoint.unavailable = True
    with pytest.raises(Unavailable):
        await verifier.verify(signer.token("ada"))
    endpoint.unavailable = False
    clock[0] += 2
    for kid in ("one", "two"):
        with pytest.raises(NotAuthenticated):
            await verifier.verify(replace_kid(signer.token("ada"), kid))


async def test_key_is_accepted_at_the_latest_when_it_begins_to_sign(
    endpoint: JwksEndpoint, clock: list[float], signer: Signer
) -> None:
    """The worst case: a fetch that lasts as long as possible ends with the keys from before the new one."""
    keys = JwksCache(endpoint)
    assert await keys.get("test-key") is not None
    clock[0] += 11
    endpoint.may_respond.clear()
    endpoint.was_requested.clear()
    slow = asyncio.create_task(keys.get("new"))
    await endpoint.was_requested.wait()
    published_at = clock[0]
    before = await signer.jwks()
    clock[0] += module.FETCH_TIMEOUT_SECONDS
    endpoint.response = before
    endpoint.may_respond.set()
    assert await slow is None
    old = before["keys"]
    assert isinstance(old, list)
    endpoint.response = {"keys": [*old, {**old[0], "kid": "new"}]}
    clock[0] = published_at + module.FETCH_TIMEOUT_SECONDS + module.FETCH_INTERVAL_SECONDS + 0.001
    assert await keys.get("new") is not None


async def test_a_new_key_is_fetched_after_a_rotation(
    endpoint: JwksEndpoint, clock: list[float], signer: Signer
) -> None:
    keys = JwksCache(endpoint)
    assert await keys.get("test-key") is not None
    clock[0] += 11
    both = (await signer.jwks())["keys"]
    assert isinstance(both, list)
    endpoint.response = {"keys": [*both, {**both[0], "kid": "new"}]}
    assert await keys.get("new") is not None
    assert endpoint.requests == 2


async def test_requests_with_a_cached_key_do_not_wait_for_a_slow_fetch(
    endpoint: JwksEndpoint, clock: list[float]
) -> None:
    keys = JwksCache(endpoint)
    assert await keys.get("test-key") is not None
    clock[0] += 3600
    endpoint.was_requested.clear()
    endpoint.may_respond.clear()
    for _ in range(10):
        assert keys.cached("test-key") is not None
    async with asyncio.timeout(1):
        assert await keys.get("test-key") is not None
        await endpoint.was_requested.wait()
    assert endpoint.requests == 2


async def test_no_verification_waits_while_auth_is_frozen_for_six_minutes(
    endpoint: JwksEndpoint, clock: list[float], signer: Signer
) -> None:
    verifier = TokenVerifier(endpoint, issuer=ISSUER, audience="shop")
    known = signer.token("ada")
    await verifier.verify(known)
    endpoint.may_respond.clear()
    for second in range(360):
        clock[0] += 1
        for token in (known, signer.token(f"customer-{second}")):
            # A coroutine that waits for anything is not finished after its first step.
            with pytest.raises(StopIteration):
                verifier.verify(token).send(None)
    await asyncio.sleep(0)
    assert endpoint.requests == 2
    endpoint.may_respond.set()


async def test_old_keys_are_replaced_in_the_background(
    endpoint: JwksEndpoint, clock: list[float], signer: Signer
) -> None:
    keys = JwksCache(endpoint)
    assert await keys.get("test-key") is not None
    published = (await signer.jwks())["keys"]
    assert isinstance(published, list)
    endpoint.response = {"keys": [{**published[0], "kid": "new"}]}
    clock[0] += 31
    endpoint.was_requested.clear()
    assert keys.cached("test-key") is not None
    await endpoint.was_requested.wait()
    assert await keys.get("new") is not None
    assert keys.cached("test-key") is None
    assert endpoint.requests == 2


async def test_keys_are_refreshed_without_requests(endpoint: JwksEndpoint, clock: list[float]) -> None:
    keys = JwksCache(endpoint)
    assert await keys.get("test-key") is not None
    clock[0] += 31
    endpoint.was_requested.clear()
    async with keys.refreshing(check_seconds=0.001), asyncio.timeout(5):
        await endpoint.was_requested.wait()
    assert endpoint.requests == 2


async def test_fetch_in_progress_ends_with_the_service(endpoint: JwksEndpoint) -> None:
    keys = JwksCache(endpoint)
    endpoint.may_respond.clear()
    async with keys.refreshing():
        waiting = asyncio.create_task(keys.get("test-key"))
        await endpoint.was_requested.wait()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_response_that_arrives_too_slowly_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            closed.set()

    monkeypatch.setattr(module, "FETCH_TIMEOUT_SECONDS", 0.2)
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = JwksCache(jwks_fetcher(f"http://127.0.0.1:{port}/jwks.json"))
        async with asyncio.timeout(2):
            with pytest.raises(Unavailable):
                await keys.get("test-key")
            await closed.wait()
