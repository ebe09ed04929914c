"""Verify access tokens with PyJWKClient and joserfc: `verify.py JWKS_URL ISSUER AUDIENCE`. One token on each line of stdin.

Prints one line for each token: a JSON object with the error of each client that refused it. joserfc does not fetch keys itself, so they are
cached as the response's Cache-Control says.
"""

import json
import re
import sys
import time
import urllib.request

import jwt
from joserfc import jwt as jose
from joserfc.jwk import KeySet

ALGORITHMS = ["RS256", "ES256", "EdDSA"]
URL, ISSUER, AUDIENCE = sys.argv[1:]


class CachedKeys:
    """The key set of joserfc, fetched again when max-age has passed."""

    def __init__(self) -> None:
        self.expires_at = 0.0

    def get(self) -> KeySet:
        if time.monotonic() >= self.expires_at:
            with urllib.request.urlopen(URL) as response:  # noqa: S310 -- the address is the test's own
                self.keys = KeySet.import_key_set(json.load(response))
                (max_age,) = re.findall(r"max-age=(\d+)", response.headers["Cache-Control"])
            self.expires_at = time.monotonic() + int(max_age)
        return self.keys


fetching, cached = jwt.PyJWKClient(URL), CachedKeys()


def with_pyjwt(token: str) -> None:
    jwt.decode(token, fetching.get_signing_key_from_jwt(token), ALGORITHMS, audience=AUDIENCE, issuer=ISSUER)


def with_joserfc(token: str) -> None:
    claims = jose.decode(token, cached.get(), algorithms=ALGORITHMS).claims
    rules = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": AUDIENCE}}
    jose.JWTClaimsRegistry(**rules).validate(claims)


for line in sys.stdin:
    errors = {}
    for name, verify in (("PyJWT", with_pyjwt), ("joserfc", with_joserfc)):
        try:
            verify(line.strip())
        except Exception as error:
            errors[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(errors), flush=True)
