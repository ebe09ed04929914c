"""Tokens that were verified are not verified again: until they expire, their key is withdrawn, or they are revoked."""

import time
from typing import Any

import jwt
import pytest

from contracts.tokens import AccessClaims
from kit import jwks, verified_tokens
from kit.auth import TokenVerifier
from kit.errors import NotAuthenticated
from kit.verified_tokens import VerifiedToken, VerifiedTokens
from tests.fakes.jwks_endpoint import JwksEndpoint
from tests.fixtures.tokens import ISSUER, Signer


@pytest.fixture
def endpoint(signer: Signer) -> JwksEndpoint:
    return JwksEndpoint(signer)


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signature was checked."""
    found: list[str] = []
    decode = jwt.decode

    def counted(token: str, *arguments: Any, **options: Any) -> Any:
        found.append(token)
        return decode(token, *arguments, **options)

    monkeypatch.setattr(jwt, "decode", counted)
    return found


def clock(monkeypatch: pytest.MonkeyPatch, module: Any, **functions: float) -> None:
    """Make the clock of a module show these times."""
    names = {name: staticmethod(lambda now=now: now) for name, now in functions.items()}
    monkeypatch.setattr(module, "time", type("Time", (), names))


def verified(exp: int, signer: Signer) -> VerifiedToken:
    claims = AccessClaims(iss=ISSUER, sub="ada", aud="shop", exp=exp, iat=0, jti="1", client_id="shop")
    return VerifiedToken(claims, signer.kid, jwt.PyJWK({"kty": "oct", "k": "AAAA", "alg": "HS256"}))


async def test_signature_of_a_token_is_checked_once(
    endpoint: JwksEndpoint, signer: Signer, signatures: list[str]
) -> None:
    verifier = TokenVerifier(endpoint, issuer=ISSUER, audience="shop")
    token = signer.token("ada")
    assert [(await verifier.verify(token)).sub for _ in range(3)] == ["ada"] * 3
    assert signatures == [token]
    assert (await verifier.verify(signer.token("bob"))).sub == "bob"


async def test_invalid_tokens_are_not_remembered(endpoint: JwksEndpoint, signer: Signer, signatures: list[str]) -> None:
    verifier = TokenVerifier(endpoint, issuer=ISSUER, audience="shop")
    token = signer.token("ada")
    await verifier.verify(token)
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    for _ in range(2):
        with pytest.raises(NotAuthenticated):
            await verifier.verify(forged)
    assert signatures == [token, forged, forged]


async def test_token_is_refused_when_its_key_is_withdrawn(
    endpoint: JwksEndpoint, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = TokenVerifier(endpoint, issuer=ISSUER, audience="shop")
    token = signer.token("ada")
    await verifier.verify(token)
    published = (await signer.jwks())["keys"]
    assert isinstance(published, list)
    endpoint.response = {"keys": [{**published[0], "kid": "new"}]}
    clock(monkeypatch, jwks, monotonic=time.monotonic() + 3600)
    assert await verifier.keys.get("new") is not None
    with pytest.raises(NotAuthenticated):
        await verifier.verify(token)


async def test_token_is_refused_when_it_is_revoked_after_it_was_verified(
    endpoint: JwksEndpoint, signer: Signer
) -> None:
    revoked: set[str] = set()
    verifier = TokenVerifier(endpoint, issuer=ISSUER, audience="shop", is_revoked=lambda claims: claims.sub in revoked)
    token = signer.token("ada")
    await verifier.verify(token)
    revoked.add("ada")
    for _ in range(2):
        with pytest.raises(NotAuthenticated):
            await verifier.verify(token)
    revoked.clear()
    assert (await verifier.verify(token)).sub == "ada"


def test_token_is_forgotten_when_it_expires(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = VerifiedTokens()
    tokens.add(b"one", verified(1000, signer))
    clock(monkeypatch, verified_tokens, time=999.9)
    assert tokens.get(b"one") is not None
    clock(monkeypatch, verified_tokens, time=1000.0)
    assert tokens.get(b"one") is None
    assert len(tokens) == 0


def test_token_that_was_not_used_for_the_longest_time_is_removed_when_the_memory_is_full(signer: Signer) -> None:
    tokens = VerifiedTokens(limit=2)
    token = verified(int(time.time()) + 900, signer)
    for digest in (b"one", b"two"):
        tokens.add(digest, token)
    assert tokens.get(b"one") is not None
    tokens.add(b"three", token)
    assert [tokens.get(digest) is not None for digest in (b"one", b"two", b"three")] == [True, False, True]
    assert len(tokens) == 2


def test_digest_is_made_of_any_text() -> None:
    assert len({VerifiedTokens.digest(text) for text in ("a", "b", "\ud800", "é")}) == 4
