"""Attacks on access tokens: every one is a 401, none is an error of ours."""

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
from services.auth.db import sessions
from services.auth.keys import SigningKey, ring
from services.auth.models import Account
from tests.auth.conftest import Shop

FOREIGN = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
async def key(shop: Shop) -> SigningKey:
    return await ring.signing()


@pytest.fixture
async def sub(shop: Shop) -> str:
    async with sessions.begin() as session:
        account = Account(email="ada@example.com", password_hash="-")
        session.add(account)
    return str(account.id)


def claims(sub: Any, **more: Any) -> dict[str, Any]:
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
    return {name: value for name, value in {**good, **more}.items() if value is not None}


def signed(key: SigningKey, payload: dict[str, Any]) -> str:
    """Signed, whatever the library would think of the claims."""
    head = {"typ": TOKEN_TYPE, "kid": key.kid}
    return jwt.api_jws.encode(json.dumps(payload).encode(), key.private, key.algorithm, head)


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_a_good_one_is_good(shop: Shop, key: SigningKey, sub: str) -> None:
    assert (await shop.me(signed(key, claims(sub)))).status_code == 200
    assert (await shop.me(signed(key, claims(sub, aud=["other", "shop"])))).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"exp": "4102444800"},
        {"exp": True},
        {"nbf": int(time.time()) + 600},
        {"iat": int(time.time()) + 600},
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
    ids=",".join,  # not the times in them
)
async def test_wrong_claims(shop: Shop, key: SigningKey, sub: str, wrong: dict[str, Any]) -> None:
    answer = await shop.me(signed(key, claims(**{"sub": sub, **wrong})))
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


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
async def test_wrong_headers(shop: Shop, key: SigningKey, sub: str, header: dict[str, Any]) -> None:
    head = {"alg": key.algorithm, "typ": TOKEN_TYPE, "kid": key.kid, **header}
    signing_input = f"{part(head)}.{part(claims(sub))}"
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    token = f"{signing_input}.{part(algorithm.sign(signing_input.encode(), key.private))}"
    assert (await shop.me(token)).status_code == 401


async def test_foreign_keys(shop: Shop, key: SigningKey, sub: str) -> None:
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
        assert (await shop.me(token)).status_code == 401


async def test_other_algorithms(shop: Shop, key: SigningKey, sub: str) -> None:
    payload = part(claims(sub))
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
        head = part({"alg": "HS256", "typ": TOKEN_TYPE, "kid": key.kid})
        tokens.append(f"{head}.{payload}.{part(hmac.digest(secret, f'{head}.{payload}'.encode(), hashlib.sha256))}")
    for name in ("none", "None", "NONE", "", "RS384", "PS256", "ES256"):
        head = part({"alg": name, "typ": TOKEN_TYPE, "kid": key.kid})
        tokens += [f"{head}.{payload}.", f"{head}.{payload}.{part(bytes(64))}"]
    tokens.append(jwt.encode(claims(sub), key.private, "RS512", {"typ": TOKEN_TYPE, "kid": key.kid}))
    curve = ec.generate_private_key(ec.SECP256R1())
    tokens.append(jwt.encode(claims(sub), curve, "ES256", {"typ": TOKEN_TYPE, "kid": key.kid}))
    for token in tokens:
        assert (await shop.me(token)).status_code == 401, token


async def test_a_payload_that_was_swapped(shop: Shop, key: SigningKey, sub: str) -> None:
    mine, other = (signed(key, claims(s)).split(".") for s in (sub, str(uuid4())))
    assert (await shop.me(".".join([mine[0], other[1], mine[2]]))).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer a.b", "Bearer a.b.c", "Bearer " + "." * 9000, "Basic YTpi", "Bearer é.é.é", "bearer"],
    ids=lambda header: header[:12],
)
async def test_what_is_no_token_at_all(shop: Shop, header: str) -> None:
    answer = await shop.http.get("/auth/me", headers=[(b"Authorization", header.encode())])
    assert answer.status_code == 401


async def test_deep_and_huge_ones(shop: Shop, key: SigningKey) -> None:
    deep = b'{"alg":"RS256","a":' + b"[" * 2000 + b"]" * 2000 + b"}"
    for token in (f"{part(deep)}.{part({})}.{part(b'x')}", "a" * 100_000, f"{part(b'9' * 5000)}.{part({})}.x"):
        assert (await shop.me(token)).status_code == 401


@settings(max_examples=300, deadline=None)
@given(data=st.data())
async def test_mutations(shop: Shop, key: SigningKey, data: st.DataObject) -> None:
    token = signed(key, claims("0b5c7d2e-9f6a-4c1d-8e3b-7a9f5d2c1e4b", iat=1_700_000_000, exp=4_000_000_000, jti="j"))
    at = data.draw(st.integers(0, len(token) - 2))  # the last character has bits that mean nothing
    way = data.draw(st.sampled_from(["replace", "delete", "insert", "cut"]))
    character = data.draw(st.sampled_from("ABCabc019-_.=~%"))
    changed = {
        "replace": token[:at] + character + token[at + 1 :],
        "delete": token[:at] + token[at + 1 :],
        "insert": token[:at] + character + token[at:],
        "cut": token[:at],
    }[way]
    answer = await shop.me(changed)
    assert answer.status_code == 401
