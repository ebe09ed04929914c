import os
import time
from pathlib import Path

import jwt
import pytest

from kit.auth import TokenVerifier
from kit.errors import Unavailable
from services.auth.keys.key_folder import KeysUnusable, create_first, read_keys, rotate
from services.auth.keys.key_ring import KeyRing
from services.auth.keys.signing_keys import KeyType, thumbprint


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
    [published] = (await ring.jwks())["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(published), "no private member is published"
    assert (published["use"], published["alg"], published["kid"]) == ("sig", algorithm, thumbprint(published))


async def test_rotate_when_the_key_is_new_then_published_but_not_signing(tmp_path: Path) -> None:
    first = create_first(tmp_path, KeyType.P256)
    ring = KeyRing(tmp_path, activation_seconds=60, reload_seconds=0)
    assert first is not None
    old = await ring.signing_key()
    os.utime(first, (time.time() - 120, time.time() - 120))
    second = rotate(tmp_path, KeyType.RSA)
    assert (await ring.signing_key()).kid == old.kid
    published = [key["kid"] for key in (await ring.jwks())["keys"]]
    assert len(published) == 2
    assert published[1] == old.kid
    os.utime(second, (time.time() - 61, time.time() - 61))
    new = await ring.signing_key()
    assert (new.kid, new.algorithm) == (published[0], "RS256")


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
