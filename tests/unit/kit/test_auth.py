"""Verification of access tokens: tokens signed by auth are accepted, everything else is refused."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.auth import TokenVerifier
from kit.errors import NotAuthenticated
from tests.fakes.jwks_endpoint import JwksEndpoint
from tests.fixtures.tokens import ISSUER, Signer


@pytest.fixture
def verifier(signer: Signer) -> TokenVerifier:
    return TokenVerifier(JwksEndpoint(signer), issuer=ISSUER, audience="shop")


def forge(signer: Signer, *, key: Any = None, algorithm: str = "RS256", header: Any = None, **claims: Any) -> str:
    payload = jwt.decode(signer.token("ada"), options={"verify_signature": False}) | claims
    payload = {name: value for name, value in payload.items() if value is not ...}
    headers = {"kid": signer.kid, "typ": "at+jwt"} | (header or {})
    return jwt.encode(payload, key or signer.key, algorithm=algorithm, headers=headers)


def raw(header: Any, payload: Any, signature: bytes = b"") -> str:
    """Return a token with any JSON and an arbitrary signature."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def test_a_valid_token_is_accepted(verifier: TokenVerifier, signer: Signer) -> None:
    claims = await verifier.verify(signer.token("ada"))
    assert (claims.sub, claims.email) == ("ada", "payer@example.com")
    assert "orders:write" in claims.scopes
    assert (await verifier.verify(forge(signer, header={"typ": "application/at+jwt"}))).sub == "ada"


NOW = int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://other.test"},
        {"iss": ...},
        {"aud": "bank"},
        {"aud": []},
        {"aud": ...},
        {"aud": 5},
        {"exp": NOW - 60},
        {"exp": ...},
        {"exp": None},
        {"exp": str(NOW + 900)},
        {"exp": NOW + 900.5},
        {"exp": True},
        {"exp": 1e300},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": [NOW + 900]},
        {"iat": NOW + 86_400},
        {"iat": ...},
        {"iat": "now"},
        {"iat": float("inf")},
        {"nbf": NOW + 86_400},
        {"nbf": "soon"},
        {"nbf": float("inf")},
        {"sub": ...},
        {"sub": ""},
        {"sub": 5},
        {"sub": "s" * 65},
        {"jti": ...},
        {"jti": 5},
        {"client_id": ...},
        {"scope": ["payments:refund"]},
        {"scope": "s" * 1001},
        {"email": 5},
    ],
    ids=",".join,  # without the times
)
async def test_invalid_claims_are_refused(verifier: TokenVerifier, signer: Signer, claims: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(forge(signer, **claims))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "rt+jwt"},
        {"typ": None},
        {"typ": 5},
        {"kid": "other"},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
    ],
    ids=str,
)
async def test_invalid_headers_are_refused(verifier: TokenVerifier, signer: Signer, header: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(forge(signer, header=header))


async def test_unsigned_tokens_are_refused(verifier: TokenVerifier, signer: Signer) -> None:
    payload = jwt.decode(signer.token("ada"), options={"verify_signature": False})
    for algorithm in ("none", "None", "NONE", "", None, "RS256"):
        header = {"alg": algorithm, "kid": signer.kid, "typ": "at+jwt"}
        for signature in (b"", b"\x00"):
            with pytest.raises(NotAuthenticated):
                await verifier.verify(raw(header, payload, signature))


async def test_hmac_with_the_public_key_is_refused(verifier: TokenVerifier, signer: Signer) -> None:
    """HS256 with the PEM of the public key as the secret (RFC 8725 section 2.1)."""
    payload = jwt.decode(signer.token("ada"), options={"verify_signature": False})
    header = {"alg": "HS256", "kid": signer.kid, "typ": "at+jwt"}
    unsigned = raw(header, payload).rpartition(".")[0]
    pem = signer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for key in (pem, pem.strip(), b""):
        signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(unsigned.encode(), key)
        forged = f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        with pytest.raises(NotAuthenticated):
            await verifier.verify(forged)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
    ids=["rsa", "ec", "ed25519"],
)
async def test_another_key_with_our_kid_is_refused(
    verifier: TokenVerifier, signer: Signer, key: Any, algorithm: str
) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(forge(signer, key=key, algorithm=algorithm))


async def test_other_algorithms_than_that_of_the_key_are_refused(verifier: TokenVerifier, signer: Signer) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(forge(signer, algorithm="RS512"))
    with pytest.raises(NotAuthenticated):
        await verifier.verify(forge(signer, algorithm="PS256"))


async def test_keys_inside_the_token_are_ignored(verifier: TokenVerifier, signer: Signer) -> None:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    for header in ({"jwk": public}, {"jku": "http://evil.test/jwks.json"}, {"x5u": "http://evil.test/"}):
        with pytest.raises(NotAuthenticated):
            await verifier.verify(forge(signer, key=own, header=header))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a" * 10_000,
        "é.é.é",
        "\x00",
        ".".join(["e30"] * 3),
        raw([], {}),
        raw(None, None),
        raw({"alg": ["RS256"], "kid": "test-key"}, {}),
        raw({"alg": {}, "kid": {}}, {}),
        raw({"alg": "RS256", "kid": 5, "typ": "at+jwt"}, {}),
        raw({"alg": "RS256", "kid": "test-key", "typ": ["at+jwt"]}, {}),
        base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.e30",
        base64.urlsafe_b64encode(b'{"kid":' + b"9" * 4500 + b"}").decode() + ".e30.e30",
        base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"\xff"}').decode() + ".e30.e30",
    ],
    ids=lambda token: token[:30],
)
async def test_malformed_tokens_are_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(token)


@given(st.data())
@settings(max_examples=80, deadline=None)
async def test_changed_tokens_are_refused(signer: Signer, data: st.DataObject) -> None:
    verifier = TokenVerifier(signer.jwks, issuer=ISSUER, audience="shop")
    token = signer.token("ada")
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="latin-1"))
    changed = data.draw(st.sampled_from([token[:place] + other + token[place + 1 :], token[:place], token + other]))
    try:
        claims = await verifier.verify(changed)
    except NotAuthenticated:
        return
    # The last character of base64url has unused bits, so different text may stand for the same bytes.
    assert _decoded(changed) == _decoded(token)
    assert claims.sub == "ada"


def _decoded(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=100))
async def test_arbitrary_text_is_refused(signer: Signer, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await TokenVerifier(signer.jwks, issuer=ISSUER, audience="shop").verify(token)
