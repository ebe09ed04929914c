import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import jwt
import pytest

from kit import jwks
from kit.auth import TokenVerifier
from kit.errors import NotAuthenticated, Unavailable
from kit.jwks import FETCH_TIMEOUT_SECONDS, REFRESH_AGE_SECONDS, REFRESH_CHECK_SECONDS
from services.auth.keys.key_folder import KeysUnusable, create_first, read_keys, replace_all, rotate
from services.auth.keys.key_ring import KeyRing
from services.auth.keys.schedule import RETIREMENT_SECONDS
from services.auth.keys.signing_keys import KeyType, thumbprint
from tests.fixtures.signing_keys import make_all_older, make_older


async def published(ring: KeyRing) -> list[str]:
    """The kids of the JWKS, newest first."""
    return [key["kid"] for key in (await ring.jwks())["keys"]]


@pytest.mark.parametrize(
    ("key_type", "algorithm"), [(KeyType.RSA, "RS256"), (KeyType.P256, "ES256"), (KeyType.ED25519, "EdDSA")]
)
async def test_signing_key_of_every_type_signs_tokens_that_verify(
    tmp_path: Path, key_type: KeyType, algorithm: str
) -> None:
    create_first(tmp_path, key_type)
    ring = KeyRing(tmp_path, activation_seconds=0, reload_seconds=0)
    key = await ring.signing_key()
    now = int(time.time())
    payload = {"iss": "i", "aud": "a", "sub": "s", "jti": "j", "client_id": "c", "iat": now, "exp": now + 60}
    token = jwt.encode(payload, key.private, key.algorithm, {"typ": "at+jwt", "kid": key.kid})
    assert key.algorithm == algorithm
    assert (await TokenVerifier(ring.jwks, issuer="i", audience="a").verify(token)).sub == "s"
    [found] = (await ring.jwks())["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(found), "no private member is published"
    assert (found["use"], found["alg"], found["kid"]) == ("sig", algorithm, thumbprint(found))


async def test_rotate_when_the_key_is_new_then_published_but_not_signing(tmp_path: Path) -> None:
    first = create_first(tmp_path, KeyType.P256)
    assert first is not None
    ring = KeyRing(tmp_path, activation_seconds=60, reload_seconds=0)
    old = await ring.signing_key()
    make_older(first, 120)
    rotate(tmp_path, KeyType.RSA, 60)
    assert (await ring.signing_key()).kid == old.kid
    new_kid, old_kid = await published(ring)
    assert old_kid == old.kid
    make_all_older(tmp_path, 60)
    new = await ring.signing_key()
    assert (new.kid, new.algorithm) == (new_kid, "RS256")
    make_all_older(tmp_path, RETIREMENT_SECONDS - 10)
    assert await published(ring) == [new_kid, old_kid]
    make_all_older(tmp_path, 10)
    assert await published(ring) == [new_kid]


async def test_replace_all_when_a_key_leaked_then_only_the_new_key_is_published_and_signs(tmp_path: Path) -> None:
    create_first(tmp_path, KeyType.P256)
    make_all_older(tmp_path, 120)
    rotate(tmp_path, KeyType.P256, 60)
    ring = KeyRing(tmp_path, activation_seconds=60, reload_seconds=0)
    leaked = await published(ring)
    replace_all(tmp_path, KeyType.P256)
    (kid,) = await published(ring)
    assert (await ring.signing_key()).kid == kid
    assert kid not in leaked


async def test_replace_all_when_a_key_leaked_then_its_tokens_are_refused_within_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_first(tmp_path, KeyType.P256)
    ring = KeyRing(tmp_path, activation_seconds=60, reload_seconds=0)
    key, now = await ring.signing_key(), int(time.time())
    payload = {"iss": "i", "aud": "a", "sub": "s", "jti": "j", "client_id": "c", "iat": now, "exp": now + 60}
    token = jwt.encode(payload, key.private, key.algorithm, {"typ": "at+jwt", "kid": key.kid})
    verifier = TokenVerifier(ring.jwks, issuer="i", audience="a")
    await verifier.verify(token)
    replace_all(tmp_path, KeyType.P256)
    started = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: started + REFRESH_AGE_SECONDS + REFRESH_CHECK_SECONDS)
    monkeypatch.setattr(jwks, "time", clock)
    assert REFRESH_AGE_SECONDS + REFRESH_CHECK_SECONDS + FETCH_TIMEOUT_SECONDS < 60
    async with verifier.keys.refreshing(check_seconds=0.001), asyncio.timeout(10):
        while True:
            try:
                await verifier.verify(token)
            except NotAuthenticated:
                break
            await asyncio.sleep(0.001)


async def test_key_ring_when_the_folder_is_broken_then_keeps_its_keys(tmp_path: Path) -> None:
    made = create_first(tmp_path, KeyType.P256)
    assert made is not None
    ring = KeyRing(tmp_path, activation_seconds=0, reload_seconds=0)
    key = await ring.signing_key()
    (tmp_path / "9999.pem").write_text("-----BEGIN NONSENSE-----")
    assert await ring.signing_key() == key
    made.unlink()
    (tmp_path / "9999.pem").unlink()
    assert await ring.signing_key() == key


async def test_key_ring_when_there_is_no_key_then_unavailable(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="no signing key"):
        read_keys(tmp_path / "absent")
    with pytest.raises(Unavailable):
        await KeyRing(tmp_path, activation_seconds=0).signing_key()
    assert "no signing key" in str(await KeyRing(tmp_path, activation_seconds=0).check())
