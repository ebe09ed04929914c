"""Access tokens: what auth signed passes, also while auth is away; everything else is 401, at little cost."""

import asyncio
import base64
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import identity as module
from kit.errors import NotAuthenticated, Unavailable
from kit.identity import Identity, Keys, fetch_jwks
from tests.conftest import ISSUER, Signer


class Auth:
    """Auth's JWKS, which can be away, slow or nonsense; counts who asks."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.asked = 0
        self.away = False
        self.says: Any = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> dict[str, Any]:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise httpx.ConnectError("away")
        found: dict[str, Any] = self.says if self.says is not None else await self.signer.jwks()
        return found


@pytest.fixture
def auth(signer: Signer) -> Auth:
    return Auth(signer)


@pytest.fixture
def identity(auth: Auth) -> Identity:
    return Identity(auth, issuer=ISSUER, audience="shop")


def forge(signer: Signer, *, key: Any = None, algorithm: str = "RS256", header: Any = None, **claims: Any) -> str:
    payload = jwt.decode(signer.token("ada"), options={"verify_signature": False}) | claims
    payload = {name: value for name, value in payload.items() if value is not ...}
    headers = {"kid": signer.kid, "typ": "at+jwt"} | (header or {})
    return jwt.encode(payload, key or signer.key, algorithm=algorithm, headers=headers)


def raw(header: Any, payload: Any, signature: bytes = b"") -> str:
    """A token of any JSON, signed by nobody."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def test_a_good_token(identity: Identity, signer: Signer) -> None:
    claims = await identity.verify(signer.token("ada"))
    assert (claims.sub, claims.email) == ("ada", "payer@example.com")
    assert "orders:write" in claims.scopes
    assert (await identity.verify(forge(signer, header={"typ": "application/at+jwt"}))).sub == "ada"


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
        {"iat": NOW + 3600},
        {"iat": ...},
        {"iat": "now"},
        {"iat": float("inf")},
        {"nbf": NOW + 3600},
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
    ids=str,
)
async def test_wrong_claims(identity: Identity, signer: Signer, claims: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        await identity.verify(forge(signer, **claims))


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
async def test_wrong_headers(identity: Identity, signer: Signer, header: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        await identity.verify(forge(signer, header=header))


async def test_none_is_no_algorithm(identity: Identity, signer: Signer) -> None:
    payload = jwt.decode(signer.token("ada"), options={"verify_signature": False})
    for algorithm in ("none", "None", "NONE", "", None, "RS256"):
        header = {"alg": algorithm, "kid": signer.kid, "typ": "at+jwt"}
        for signature in (b"", b"\x00"):
            with pytest.raises(NotAuthenticated):
                await identity.verify(raw(header, payload, signature))


async def test_the_public_key_is_no_secret(identity: Identity, signer: Signer) -> None:
    """HS256 over the PEM of the public key: the classic confusion (RFC 8725 section 2.1)."""
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
            await identity.verify(forged)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
    ids=["rsa", "ec", "ed25519"],
)
async def test_another_key_under_our_kid(identity: Identity, signer: Signer, key: Any, algorithm: str) -> None:
    with pytest.raises(NotAuthenticated):
        await identity.verify(forge(signer, key=key, algorithm=algorithm))


async def test_the_algorithm_is_the_keys(identity: Identity, signer: Signer) -> None:
    with pytest.raises(NotAuthenticated):
        await identity.verify(forge(signer, algorithm="RS512"))
    with pytest.raises(NotAuthenticated):
        await identity.verify(forge(signer, algorithm="PS256"))


async def test_keys_that_a_token_brings_along_are_not_looked_at(identity: Identity, signer: Signer) -> None:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    for header in ({"jwk": public}, {"jku": "http://evil.test/jwks.json"}, {"x5u": "http://evil.test/"}):
        with pytest.raises(NotAuthenticated):
            await identity.verify(forge(signer, key=own, header=header))


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
async def test_what_is_no_token(identity: Identity, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await identity.verify(token)


@given(st.data())
@settings(max_examples=80, deadline=None)
async def test_no_changed_token_passes(signer: Signer, data: st.DataObject) -> None:
    identity = Identity(signer.jwks, issuer=ISSUER, audience="shop")
    token = signer.token("ada")
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="latin-1"))
    changed = data.draw(st.sampled_from([token[:place] + other + token[place + 1 :], token[:place], token + other]))
    try:
        claims = await identity.verify(changed)
    except NotAuthenticated:
        return
    # base64url has spare bits in its last character: the same bytes may have another spelling.
    assert _decoded(changed) == _decoded(token)
    assert claims.sub == "ada"


def _decoded(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=100))
async def test_no_text_is_a_token(signer: Signer, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await Identity(signer.jwks, issuer=ISSUER, audience="shop").verify(token)


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
    keys = Keys(auth)
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
    keys = Keys(auth)
    assert await keys.get("test-key") is not None
    auth.says = says
    clock[0] += 3600
    assert await keys.get("test-key") is not None


async def test_without_any_key_it_says_so(auth: Auth, identity: Identity, signer: Signer) -> None:
    auth.away = True
    with pytest.raises(Unavailable):
        await identity.verify(signer.token())


async def test_an_auth_that_is_away_is_asked_once_for_all_who_wait(auth: Auth, clock: list[float]) -> None:
    keys = Keys(auth)
    auth.away = True
    auth.answers.clear()
    asking = [asyncio.create_task(keys.get("test-key")) for _ in range(50)]
    while not auth.asked:
        await asyncio.sleep(0)
    auth.answers.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert auth.asked == 1
    auth.away = False
    clock[0] += 1.1
    assert await keys.get("test-key") is not None


async def test_unknown_keys_do_not_make_us_ask_without_end(auth: Auth, clock: list[float]) -> None:
    keys = Keys(auth)
    assert await keys.get("test-key") is not None
    clock[0] += 11
    for number in range(200):
        assert await keys.get(f"kid-{number}") is None
        clock[0] += 0.1
    assert auth.asked <= 4


async def test_a_new_key_is_found(auth: Auth, clock: list[float], signer: Signer) -> None:
    keys = Keys(auth)
    assert await keys.get("test-key") is not None
    clock[0] += 11
    both = (await signer.jwks())["keys"]
    assert isinstance(both, list)
    auth.says = {"keys": [*both, {**both[0], "kid": "new"}]}
    assert await keys.get("new") is not None
    assert auth.asked == 2


async def test_an_auth_that_hangs_holds_up_only_who_asks(auth: Auth, clock: list[float]) -> None:
    keys = Keys(auth)
    assert await keys.get("test-key") is not None
    clock[0] += 3600
    auth.answers.clear()
    first = asyncio.create_task(keys.get("test-key"))
    while auth.asked < 2:
        await asyncio.sleep(0)
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

    monkeypatch.setattr(module, "FETCH_SECONDS", 0.2)
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = Keys(fetch_jwks(f"http://127.0.0.1:{port}/jwks.json"))
        async with asyncio.timeout(2):
            with pytest.raises(Unavailable):
                await keys.get("test-key")
