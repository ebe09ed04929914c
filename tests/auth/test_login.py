import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from sqlalchemy import update

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, AccessClaims
from services.auth import attempts, passwords
from services.auth.db import sessions
from services.auth.models import Account, FailedLogin
from services.auth.settings import settings
from tests.auth.conftest import PASSWORD, Shop


async def test_gives_a_token_that_says_who_and_what(shop: Shop, email: str) -> None:
    answer = await shop.login(email)
    body = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    header = jwt.get_unverified_header(body["access_token"])
    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    raw = jwt.decode(body["access_token"], options={"verify_signature": False})
    claims = AccessClaims.model_validate(raw, strict=True)
    me = (await shop.me(body["access_token"])).json()
    assert (claims.sub, claims.email, claims.client_id) == (me["id"], email, "shop")
    assert (claims.iss, claims.aud, claims.exp - claims.iat) == (settings.token_issuer, settings.token_audience, 900)
    assert claims.scopes == CUSTOMER_SCOPES == set(me["scope"].split())


async def test_the_address_may_be_written_in_any_case(shop: Shop, email: str) -> None:
    assert (await shop.login(f" {email.upper()}")).status_code == 200


async def test_a_scope_may_be_less_and_never_more(shop: Shop, email: str) -> None:
    assert (await shop.login(email, scope="orders:write")).json()["scope"] == "orders:write"
    for scope in ("catalog:write", "orders:write catalog:write", "everything"):
        answer = await shop.login(email, scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_nobody_learns_whether_there_is_an_account(shop: Shop, email: str) -> None:
    wrong = await shop.login(email, "another password")
    unknown = await shop.login("nobody@example.com", "another password")
    no_address = await shop.login("nobody", "another password")
    assert wrong.status_code == unknown.status_code == no_address.status_code == 400
    assert wrong.json() == unknown.json() == no_address.json()
    varying = {"x-request-id", "x-process-time"}
    assert set(wrong.headers) - varying == set(unknown.headers) - varying


async def test_an_unknown_user_takes_as_long_as_a_wrong_password(shop: Shop, email: str) -> None:
    took: dict[str, list[float]] = {email: [], "nobody@example.com": []}
    await passwords.hashing.warm()
    for _ in range(4):
        for name, times in took.items():
            began = time.perf_counter()
            assert (await shop.login(name, "another password")).status_code == 400
            times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in took.values())
    assert 0.5 < unknown / known < 2


@pytest.mark.parametrize("name", ["known", "unknown"])
async def test_many_guesses_at_once_are_mostly_refused(shop: Shop, email: str, name: str) -> None:
    target = email if name == "known" else "nobody@example.com"
    answers = await asyncio.gather(*(shop.login(target, f"guess number {n}") for n in range(30)))
    tried = [answer for answer in answers if answer.status_code == 400]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(tried) + len(refused) == 30
    assert len(tried) <= attempts.FREE + passwords.hashing.threads
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)
    assert all(answer.json()["error"] == "temporarily_unavailable" for answer in refused)


async def _pause_ends() -> None:
    async with sessions.begin() as session:
        await session.execute(update(FailedLogin).values(retry_at=datetime.now(UTC) - timedelta(seconds=1)))


async def test_pauses_grow_and_the_owner_still_gets_in(shop: Shop, email: str) -> None:
    for _ in range(attempts.FREE):
        assert (await shop.login(email, "guessing")).status_code == 400
    pauses = []
    for _ in range(4):
        refused = await shop.login(email)
        assert refused.status_code == 429
        pauses.append(int(refused.headers["retry-after"]))
        await _pause_ends()
        at_once = await asyncio.gather(*(shop.login(email, "guessing") for _ in range(5)))
        assert sorted(answer.status_code for answer in at_once) == [400, 429, 429, 429, 429]
    assert pauses == [2, 4, 8, 16]
    await _pause_ends()
    assert (await shop.login(email)).status_code == 200
    assert (await shop.login(email, "guessing")).status_code == 400, "the count starts anew"


async def test_right_passwords_at_once_are_not_guesses(shop: Shop, email: str) -> None:
    answers = await asyncio.gather(*(shop.login(email) for _ in range(15)))
    assert {answer.status_code for answer in answers} == {200}


async def test_more_logins_than_cores_leave_the_others_in_peace(shop: Shop, email: str) -> None:
    logins = [
        asyncio.create_task(shop.login(email))
        for _ in range(passwords.hashing.threads * (1 + passwords.QUEUED_PER_THREAD) + 20)
    ]
    others = 0
    while not all(login.done() for login in logins):
        assert (await shop.http.get("/.well-known/jwks.json")).status_code == 200
        others += 1
        await asyncio.sleep(0.005)
    answers = [login.result() for login in logins]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
    assert others > 20


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"grant_type": "password", "username": "ada@example.com"}, "invalid_request"),
        ({"grant_type": "password", "username": "x" * 321, "password": PASSWORD}, "invalid_request"),
        ({"grant_type": "password", "username": "ada@example.com", "password": "a\x00b"}, "invalid_request"),
        ({"grant_type": "password", "username": "ada@example.com", "password": "x" * 1025}, "invalid_request"),
        ({"grant_type": "password", "username": "ada@example.com", "password": "ü" * 600}, "invalid_request"),
        ({"grant_type": "password", "username": "a\x00@example.com", "password": PASSWORD}, "invalid_grant"),
        ({"grant_type": ["password", "password"], "username": "a@b.co", "password": PASSWORD}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "\x00"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": f"{'a' * 22}.{'b' * 43}"}, "invalid_grant"),
    ],
)
async def test_errors_are_those_of_rfc_6749(shop: Shop, form: dict[str, str], error: str) -> None:
    answer = await shop.http.post("/auth/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain"]
)
async def test_what_is_no_form_is_an_invalid_request(shop: Shop, kind: str) -> None:
    answer = await shop.http.post("/auth/token", content=b'{"grant_type":"password"', headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_token_of_a_deleted_account_is_good_no_longer(shop: Shop, email: str) -> None:
    tokens = (await shop.login(email)).json()
    async with sessions.begin() as session:
        account = await session.get_one(Account, (await shop.me(tokens["access_token"])).json()["id"])
        await session.delete(account)
    assert (await shop.me(tokens["access_token"])).status_code == 401
    assert (await shop.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_an_admin_may_more(shop: Shop, email: str) -> None:
    async with sessions.begin() as session:
        await session.execute(update(Account).values(role="admin"))
    assert set((await shop.login(email)).json()["scope"].split()) == ADMIN_SCOPES
