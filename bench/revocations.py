"""The cost of the revocation list: the same access tokens verified without revocations and with ENTRIES of them, in this process.

Each turn uses a new verifier, which has verified none of the tokens, so each token costs the verification of a signature.
"""

import secrets
import time
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from contracts.revocations import RevocationList
from kit.auth import TokenVerifier
from kit.revocations import Revocations

ENTRIES = 10_000
TOKENS = 400
TURNS = 5
"""The two verifiers take turns within a round, because the speed of a shared machine varies."""

KID, ISSUER, AUDIENCE = "bench", "http://bench", "shop"


def new_tokens(key: rsa.RSAPrivateKey) -> list[str]:
    """Return TOKENS access tokens, each of another account and session."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 900,
        "client_id": "shop",
        "scope": "orders:write",
    }
    headers = {"kid": KID, "typ": "at+jwt"}
    return [
        jwt.encode(
            {**claims, "sub": str(uuid4()), "jti": secrets.token_urlsafe(16), "sid": secrets.token_urlsafe(16)},
            key,
            "RS256",
            headers,
        )
        for _ in range(TOKENS)
    ]


async def measure(rounds: int) -> tuple[list[float], list[float]]:
    """Return the verifications per second of each round: without revocations, and with ENTRIES of other sessions."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": KID, "alg": "RS256"}
    tokens = new_tokens(key)
    lists = [RevocationList(), RevocationList(sessions=[secrets.token_urlsafe(16) for _ in range(ENTRIES)])]

    async def fetch_keys() -> dict[str, object]:
        return {"keys": [public]}

    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        seconds = [0.0, 0.0]
        for turn in range(TURNS):
            for which in (0, 1) if turn % 2 else (1, 0):
                revocations = Revocations(_nothing)
                revocations.use(lists[which])
                verifier = TokenVerifier(
                    fetch_keys, issuer=ISSUER, audience=AUDIENCE, is_revoked=revocations.is_revoked
                )
                await verifier.keys.get(KID)
                started = time.process_time()
                for token in tokens:
                    await verifier.verify(token)
                seconds[which] += time.process_time() - started
        for rate, taken in zip(rates, seconds, strict=True):
            rate.append(TURNS * TOKENS / taken)
    return rates


async def _nothing() -> None:
    return None
