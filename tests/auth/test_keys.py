import asyncio
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest

from kit.auth import TokenVerifier
from kit.errors import Unavailable
from services.auth import keys
from services.auth.keys import KeyRing, KeysUnusable
from tests.auth.conftest import Shop

RFC_7638_EXAMPLE = {
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn"
        "1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    ),
    "e": "AQAB",
}


def later(ring: KeyRing) -> KeyRing:
    """The ring, when it is time to look again."""
    ring._looked_at = -1e9
    return ring


def test_a_kid_is_the_thumbprint() -> None:
    assert keys.thumbprint(RFC_7638_EXAMPLE) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(("kind", "algorithm"), [("rsa", "RS256"), ("p256", "ES256"), ("ed25519", "EdDSA")])
async def test_every_kind_signs_what_the_others_verify(tmp_path: Path, kind: keys.Kind, algorithm: str) -> None:
    keys.make_first(tmp_path, kind)
    ring = KeyRing(tmp_path, 0)
    key = await ring.signing()
    now = int(time.time())
    payload = {"iss": "i", "aud": "a", "sub": "s", "jti": "j", "client_id": "c", "iat": now, "exp": now + 60}
    token = jwt.encode(payload, key.private, key.algorithm, {"typ": "at+jwt", "kid": key.kid})
    assert key.algorithm == algorithm
    assert (await TokenVerifier(ring.jwks, issuer="i", audience="a").verify(token)).sub == "s"
    [published] = (await ring.jwks())["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(published), "nothing private is published"
    assert (published["use"], published["alg"], published["kid"]) == ("sig", algorithm, keys.thumbprint(published))


def test_the_first_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "keys"
    made = keys.make_first(folder, "p256")
    assert made is not None
    assert keys.make_first(folder, "p256") is None
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [made.name]


async def test_eight_at_once_make_one(tmp_path: Path) -> None:
    made = await asyncio.gather(*(asyncio.to_thread(keys.make_first, tmp_path, "ed25519") for _ in range(8)))
    assert len([path for path in made if path]) == len(os.listdir(tmp_path)) == 1


async def test_a_new_key_is_published_before_it_signs(tmp_path: Path) -> None:
    first = keys.make_first(tmp_path, "p256")
    ring = KeyRing(tmp_path, activation_seconds=60)
    assert first is not None
    old = await ring.signing()
    os.utime(first, (time.time() - 120, time.time() - 120))
    second = keys.rotate(tmp_path, "rsa")
    assert (await later(ring).signing()).kid == old.kid
    published = [key["kid"] for key in (await ring.jwks())["keys"]]
    assert len(published) == 2
    assert published[1] == old.kid
    os.utime(second, (time.time() - 61, time.time() - 61))
    new = await later(ring).signing()
    assert (new.kid, new.algorithm) == (published[0], "RS256")


def test_only_a_key_that_no_living_token_needs_is_retired(tmp_path: Path) -> None:
    paths = [keys.rotate(tmp_path, "ed25519") for _ in range(3)]
    assert keys.retire(tmp_path, 900) == []
    hour_ago = time.time() - 3600
    os.utime(paths[0], (hour_ago, hour_ago))
    assert keys.retire(tmp_path, 900) == []
    os.utime(paths[1], (hour_ago, hour_ago))
    assert keys.retire(tmp_path, 900) == [paths[0]]
    assert sorted(tmp_path.iterdir()) == paths[1:]


async def test_what_is_in_hand_stays_while_the_folder_is_broken(tmp_path: Path) -> None:
    made = keys.make_first(tmp_path, "p256")
    assert made is not None
    ring = KeyRing(tmp_path, 0)
    key = await ring.signing()
    (tmp_path / "9999.pem").write_text("-----BEGIN NONSENSE-----")
    assert await later(ring).signing() == key
    made.unlink()
    (tmp_path / "9999.pem").unlink()
    assert await later(ring).signing() == key


async def test_no_key_and_no_folder_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="no signing key"):
        keys.read(tmp_path / "absent")
    with pytest.raises(Unavailable):
        await KeyRing(tmp_path, 0).signing()
    assert "no signing key" in str(await KeyRing(tmp_path, 0).check())


@pytest.mark.parametrize("wrong", ["short rsa", "public", "nonsense", "p384"])
def test_a_key_of_another_kind_is_refused_by_name(tmp_path: Path, wrong: str) -> None:
    commands = {
        "short rsa": "genrsa 1024",
        "p384": "ecparam -genkey -noout -name secp384r1",
    }
    path = tmp_path / "odd.pem"
    if wrong in commands:
        made = subprocess.run(["openssl", *commands[wrong].split()], capture_output=True, check=True)
        path.write_bytes(made.stdout)
    else:
        path.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" if wrong == "public" else "?")
    with pytest.raises(KeysUnusable, match=r"odd\.pem"):
        keys.read(tmp_path)


async def test_discovery_leads_to_the_keys(shop: Shop) -> None:
    metadata = (await shop.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == "http://auth.test"
    assert metadata["token_endpoint"] == "http://auth.test/auth/token"
    answer = await shop.http.get(metadata["jwks_uri"].removeprefix("http://auth.test"))
    assert answer.json() == await keys.ring.jwks()
    assert answer.headers["cache-control"] == "public, max-age=15"


async def test_without_a_key_it_does_not_start_and_says_why(tmp_path: Path) -> None:
    environment = {**os.environ, "AUTH_KEYS_DIR": str(tmp_path / "none")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.auth", "serve", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode().startswith("cannot start: ")
    assert "python -m services.auth keys" in said.decode()
    assert "Traceback" not in said.decode()
