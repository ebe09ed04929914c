"""Attacks on access tokens. Every one is answered with 401, none with an internal error."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.tokens import TOKEN_TYPE
from services.auth.db import db_sessions
from services.auth.keys.key_ring import KeyRing
from services.auth.keys.signing_keys import SigningKey
from services.auth.models import Account
from tests.fixtures.auth import AuthClient

FOREIGN = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
async def key(key_ring: KeyRing) -> SigningKey:
    return await key_ring.signing_key()


@pytest.fixture
async def sub(auth: AuthClient) -> str:
    async with db_sessions.begin() as session:
        account = Account(email="ada@example.com", password_hash="-")
        session.add(account)
    return str(account.id)


def claims(sub: object, **changes: object) -> dict[str, object]:
    now = int(time.time())
    good = {
        "iss": "http://auth.test",
        "aud": "shop",
        "sub": sub,
        "client_id": "shop",
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 900,
        "scope": "orders:write",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(key: SigningKey, payload: dict[str, object]) -> str:
    """Sign claims that the library would refuse to sign."""
    head = {"typ": TOKEN_TYPE, "kid": key.kid}
    return jwt.api_jws.encode(json.dumps(payload).encode(), key.private, key.algorithm, head)


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_access_token_when_valid_then_accepted(auth: AuthClient, key: SigningKey, sub: str) -> None:
    assert (await auth.me(signed(key, claims(sub)))).status_code == 200
    assert (await auth.me(signed(key, claims(sub, aud=["other", "shop"])))).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"exp": "4102444800"},
        {"exp": True},
        {"nbf": int(time.time()) + 86_400},
        {"iat": int(time.time()) + 86_400},
        {"iat": None},
        {"iss": "http://evil.test"},
        {"iss": "http://auth"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
        {"sub": str(UUID(int=7))},
        {"jti": None},
        {"client_id": None},
        {"scope": ["orders:write"]},
    ],
    ids=",".join,  # the names of the claims, without the times in them
)
async def test_access_token_when_a_claim_is_wrong_then_401(
    auth: AuthClient, key: SigningKey, sub: str, wrong: dict[str, Any]
) -> None:
    response = await auth.me(signed(key, claims(**{"sub": sub, **wrong})))
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "rt+jwt"},
        {"typ": None},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": ""},
        {"kid": "x" * 5000},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
    ],
    ids=lambda header: str(header)[:40],
)
async def test_access_token_when_a_header_is_wrong_then_401(
    auth: AuthClient, key: SigningKey, sub: str, header: dict[str, Any]
) -> None:
    head = {"alg": key.algorithm, "typ": TOKEN_TYPE, "kid": key.kid, **header}
    signing_input = f"{encoded(head)}.{encoded(claims(sub))}"
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    token = f"{signing_input}.{encoded(algorithm.sign(signing_input.encode(), key.private))}"
    assert (await auth.me(token)).status_code == 401


async def test_access_token_when_signed_by_an_unknown_key_then_401(auth: AuthClient, key: SigningKey, sub: str) -> None:
    head = {"typ": TOKEN_TYPE, "kid": key.kid}
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(FOREIGN.public_key()))
    for more in (
        {},
        {"jwk": jwk},
        {"jku": "http://evil.test/jwks.json"},
        {"x5u": "http://evil.test/x"},
        {"kid": "mine"},
    ):
        token = jwt.encode(claims(sub), FOREIGN, "RS256", {**head, **more})
        assert (await auth.me(token)).status_code == 401


async def test_access_token_when_another_algorithm_is_used_then_401(
    auth: AuthClient, key: SigningKey, sub: str
) -> None:
    payload = encoded(claims(sub))
    public = key.private.public_key()
    secrets = [
        public.public_bytes(encoding, form)
        for encoding, form in [
            (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        ]
    ]
    tokens = []
    for secret in [*secrets, json.dumps(key.jwk).encode(), b""]:
        head = encoded({"alg": "HS256", "typ": TOKEN_TYPE, "kid": key.kid})
        tokens.append(f"{head}.{payload}.{encoded(hmac.digest(secret, f'{head}.{payload}'.encode(), hashlib.sha256))}")
    for name in ("none", "None", "NONE", "", "RS384", "PS256", "ES256"):
        head = encoded({"alg": name, "typ": TOKEN_TYPE, "kid": key.kid})
        tokens += [f"{head}.{payload}.", f"{head}.{payload}.{encoded(bytes(64))}"]
    tokens.append(jwt.encode(claims(sub), key.private, "RS512", {"typ": TOKEN_TYPE, "kid": key.kid}))
    curve = ec.generate_private_key(ec.SECP256R1())
    tokens.append(jwt.encode(claims(sub), curve, "ES256", {"typ": TOKEN_TYPE, "kid": key.kid}))
    for token in tokens:
        assert (await auth.me(token)).status_code == 401, token


async def test_access_token_when_the_payload_is_swapped_then_401(auth: AuthClient, key: SigningKey, sub: str) -> None:
    own, other = (signed(key, claims(s)).split(".") for s in (sub, str(uuid4())))
    assert (await auth.me(".".join([own[0], other[1], own[2]]))).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer a.b", "Bearer a.b.c", "Bearer " + "." * 9000, "Basic YTpi", "Bearer é.é.é", "bearer"],
    ids=lambda header: header[:12],
)
async def test_access_token_when_the_header_holds_no_token_then_401(auth: AuthClient, header: str) -> None:
    response = await auth.http.get("/auth/me", headers=[(b"Authorization", header.encode())])
    assert response.status_code == 401


async def test_access_token_when_deeply_nested_or_huge_then_401(auth: AuthClient, key: SigningKey) -> None:
    deep = b'{"alg":"RS256","a":' + b"[" * 2000 + b"]" * 2000 + b"}"
    for token in (
        f"{encoded(deep)}.{encoded({})}.{encoded(b'x')}",
        "a" * 100_000,
        f"{encoded(b'9' * 5000)}.{encoded({})}.x",
    ):
        assert (await auth.me(token)).status_code == 401


@settings(max_examples=300)
@given(data=st.data())
async def test_access_token_when_mutated_then_401(auth: AuthClient, key: SigningKey, data: st.DataObject) -> None:
    token = signed(key, claims("0b5c7d2e-9f6a-4c1d-8e3b-7a9f5d2c1e4b", iat=1_700_000_000, exp=4_000_000_000, jti="j"))
    at = data.draw(st.integers(0, len(token) - 2))  # some bits of the last character are padding
    way = data.draw(st.sampled_from(["replace", "delete", "insert", "cut"]))
    character = data.draw(st.sampled_from("ABCabc019-_.=~%"))
    changed = {
        "replace": token[:at] + character + token[at + 1 :],
        "delete": token[:at] + token[at + 1 :],
        "insert": token[:at] + character + token[at:],
        "cut": token[:at],
    }[way]
    response = await auth.me(changed)
    assert response.status_code == 401
