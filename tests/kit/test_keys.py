"""The keys of auth: kept while it is away, asked for by one, found anew after a rotation."""

import asyncio
from typing import Any

import pytest

from kit import auth as module
from kit.auth import JwksCache, TokenVerifier, fetch_jwks
from kit.errors import Unavailable
from tests.conftest import ISSUER, Signer
from tests.kit.auth import Auth


@pytest.fixture
def auth(signer: Signer) -> Auth:
    return Auth(signer)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the key cache sees, to be moved by hand."""
    now = [1000.0]

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(module, "time", Time)
    return now


async def test_keys_are_kept_while_auth_is_away(auth: Auth, clock: list[float]) -> None:
    keys = JwksCache(auth)
    assert await keys.get("test-key") is not None
    auth.away = True
    for _ in range(100):
        clock[0] += 3600
        assert await keys.get("test-key") is not None
    auth.away = False
    clock[0] += 3600
    assert await keys.get("test-key") is not None


@pytest.mark.parametrize("says", [{}, {"keys": []}, {"keys": None}, [], "x", {"keys": [{"kty": "RSA"}]}, {"keys": [1]}])
async def test_keys_are_kept_while_auth_talks_nonsense(auth: Auth, clock: list[float], says: Any) -> None:
    keys = JwksCache(auth)
    assert await keys.get("test-key") is not None
    auth.says = says
    clock[0] += 3600
    assert await keys.get("test-key") is not None


async def test_without_any_key_it_says_so(auth: Auth, signer: Signer) -> None:
    identity = TokenVerifier(auth, issuer=ISSUER, audience="shop")
    auth.away = True
    with pytest.raises(Unavailable):
        await identity.verify(signer.token())


async def test_an_auth_that_is_away_is_asked_once_for_all_who_wait(auth: Auth, clock: list[float]) -> None:
    keys = JwksCache(auth)
    auth.away = True
    auth.answers.clear()
    asking = [asyncio.create_task(keys.get("test-key")) for _ in range(50)]
    await auth.was_asked.wait()
    auth.answers.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert auth.asked == 1
    auth.away = False
    clock[0] += 1.1
    assert await keys.get("test-key") is not None


async def test_unknown_keys_do_not_make_us_ask_without_end(auth: Auth, clock: list[float]) -> None:
    keys = JwksCache(auth)
    assert await keys.get("test-key") is not None
    clock[0] += 11
    for number in range(200):
        assert await keys.get(f"kid-{number}") is None
        clock[0] += 0.1
    assert auth.asked <= 4


async def test_a_new_key_is_found(auth: Auth, clock: list[float], signer: Signer) -> None:
    keys = JwksCache(auth)
    assert await keys.get("test-key") is not None
    clock[0] += 11
    both = (await signer.jwks())["keys"]
    assert isinstance(both, list)
    auth.says = {"keys": [*both, {**both[0], "kid": "new"}]}
    assert await keys.get("new") is not None
    assert auth.asked == 2


async def test_an_auth_that_hangs_holds_up_only_who_asks(auth: Auth, clock: list[float]) -> None:
    keys = JwksCache(auth)
    assert await keys.get("test-key") is not None
    clock[0] += 3600
    auth.answers.clear()
    auth.was_asked.clear()
    first = asyncio.create_task(keys.get("test-key"))
    await auth.was_asked.wait()
    async with asyncio.timeout(1):
        assert await keys.get("test-key") is not None
    auth.answers.set()
    assert await first is not None


async def test_a_jwks_that_drips_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
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

    monkeypatch.setattr(module, "FETCH_TIMEOUT_SECONDS", 0.2)
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = JwksCache(fetch_jwks(f"http://127.0.0.1:{port}/jwks.json"))
        async with asyncio.timeout(2):
            with pytest.raises(Unavailable):
                await keys.get("test-key")
