"""Use auth with Authlib and requests-oauthlib: `flows.py AUTH_URL`. The JSON on stdin has an account and a program, with their secrets.

Each step raises an error if the client does not accept the answer of auth.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import TypeVar

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # requests-oauthlib refuses http otherwise

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidGrantError, LegacyApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

E = TypeVar("E", bound=Exception)
url = sys.argv[1]
given = json.load(sys.stdin)
program = {"client_id": given["client_id"], "client_secret": given["client_secret"]}
account = {"username": given["username"], "password": given["password"]}
token_url, revoke_url, me = f"{url}/auth/token", f"{url}/auth/revoke", f"{url}/auth/me"


def refused(error: type[E], call: Callable[[], object]) -> E:
    try:
        call()
    except error as found:
        return found
    raise AssertionError("accepted")


# Authlib: metadata, a person, a program
# The validator requires https, as a shop has it behind its gateway.
document = requests.get(f"{url}/.well-known/oauth-authorization-server", timeout=10).text.replace("http://", "https://")
AuthorizationServerMetadata(json.loads(document)).validate()
person = AuthlibSession("shop", token_endpoint_auth_method="none")
token = person.fetch_token(token_url, grant_type="password", **account)
assert person.get(me).status_code == 200
refreshed = person.refresh_token(token_url, refresh_token=token["refresh_token"])
assert refreshed["refresh_token"] != token["refresh_token"]
assert person.get(me).status_code == 200
answer = person.revoke_token(revoke_url, token=refreshed["access_token"], token_type_hint="access_token")
assert answer.status_code == 200, answer.text
assert person.get(me).status_code == 401
ended = refused(OAuthError, lambda: person.refresh_token(token_url, refresh_token=refreshed["refresh_token"]))
assert ended.error == "invalid_grant"
for method in ("client_secret_basic", "client_secret_post"):
    session = AuthlibSession(**program, token_endpoint_auth_method=method)
    assert session.fetch_token(token_url, grant_type="client_credentials")["scope"] == "orders:read"
wrong = AuthlibSession(given["client_id"], "wrong")
assert (
    refused(OAuthError, lambda: wrong.fetch_token(token_url, grant_type="client_credentials")).error == "invalid_client"
)

# requests-oauthlib: a person, a program
person = OAuth2Session(client=LegacyApplicationClient("shop"))
token = person.fetch_token(token_url, **account, include_client_id=True)
assert person.get(me).status_code == 200
refreshed = person.refresh_token(token_url, client_id="shop")
assert person.get(me).status_code == 200
assert person.post(revoke_url, data={"token": refreshed["refresh_token"], "client_id": "shop"}).status_code == 200
refused(InvalidGrantError, lambda: person.refresh_token(token_url, client_id="shop"))
backend = OAuth2Session(client=BackendApplicationClient(given["client_id"]))
token = backend.fetch_token(token_url, auth=HTTPBasicAuth(*program.values()))
assert token["scope"] == ["orders:read"], token
stranger = OAuth2Session(client=LegacyApplicationClient("unknown"))
refused(InvalidClientError, lambda: stranger.fetch_token(token_url, **account, include_client_id=True))
print("done")
