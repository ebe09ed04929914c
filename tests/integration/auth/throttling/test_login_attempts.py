from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select, update

from kit.http.client_address import TrustedProxies
from services.auth.db import db_sessions, engine
from services.auth.errors import TooManyFailedLogins
from services.auth.throttling import address_buckets
from services.auth.throttling.address_buckets import FAILED_LOGINS_AND_MAIL_REQUESTS
from services.auth.throttling.failed_logins import FREE_ATTEMPTS
from services.auth.throttling.login_attempts import LoginAttempt
from services.auth.throttling.models import AddressBucket, Device, FailedLogin
from services.auth.throttling.remembered_refusals import RememberedRefusals
from tests.fixtures.apps import RunningApp
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.auth_app import auth_client
from tests.fixtures.metrics import metric

OURS = "127.0.0.1"


async def _use_tokens(period: timedelta) -> datetime:
    """Take so many tokens that our bucket is full again after this period. Return when that is.

    Each further token moves this time, however long the test takes.
    """
    async with db_sessions.begin() as session:
        await address_buckets.take(session, FAILED_LOGINS_AND_MAIL_REQUESTS, OURS)
        ours = update(AddressBucket).where(
            AddressBucket.kind == FAILED_LOGINS_AND_MAIL_REQUESTS.kind, AddressBucket.address == OURS
        )
        taken = await session.execute(ours.values(full_at=func.now() + period).returning(AddressBucket.full_at))
        return taken.scalar_one()


async def _use_up() -> None:
    """Take all tokens of our address."""
    await _use_tokens(timedelta(hours=1))


async def _full_at() -> dict[str, datetime]:
    """Return when each bucket of failed logins is full again, by address."""
    async with db_sessions() as session:
        buckets = select(AddressBucket).where(AddressBucket.kind == FAILED_LOGINS_AND_MAIL_REQUESTS.kind)
        return {bucket.address: bucket.full_at for bucket in await session.scalars(buckets)}


async def _pause_name(auth: AuthClient, email: str) -> None:
    for _ in range(FREE_ATTEMPTS):
        assert (await auth.login(email, "guessing")).status_code == 400
    async with db_sessions.begin() as session:
        await session.execute(update(FailedLogin).values(next_attempt_at=func.now() + timedelta(minutes=10)))


@pytest.fixture
async def elsewhere(auth_app: RunningApp) -> AsyncIterator[AuthClient]:
    """A client at another address."""
    async with auth_client(auth_app, "198.51.100.7") as client:
        yield client


async def test_login_when_an_address_has_used_up_its_tokens_then_refused_for_every_name(
    auth: AuthClient, elsewhere: AuthClient, email: str
) -> None:
    before = metric("auth_throttled_total", limit="address")
    for _ in range(30):
        assert (await auth.login(f"{uuid4()}@example.com", "guessing")).status_code == 400
    await _use_up()
    for _ in range(30):
        refused = await auth.login(f"{uuid4()}@example.com", "guessing")
        assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
    assert metric("auth_throttled_total", limit="address") == before + 30
    async with db_sessions() as session:
        counted = await session.scalar(select(func.count()).select_from(FailedLogin))
    assert counted == 30, "a refused login is not counted"
    assert (await elsewhere.login(email)).status_code == 200, "other addresses are not limited"


@pytest.mark.parametrize(
    ("trusted", "status"), [([], 429), (["127.0.0.1"], 400)], ids=["untrusted peer", "trusted proxy"]
)
async def test_login_when_x_forwarded_for_is_sent_then_believed_from_trusted_proxies_only(
    auth: AuthClient, auth_app: RunningApp, monkeypatch: pytest.MonkeyPatch, trusted: list[str], status: int
) -> None:
    monkeypatch.setitem(auth_app.state, "trusted_proxies", TrustedProxies(trusted))
    await _use_up()
    forged = [f"203.0.113.{number}" for number in range(3)]
    for address in forged:
        form = {"grant_type": "password", "username": f"{uuid4()}@example.com", "password": "guessing"}
        response = await auth.http.post("/auth/token", data=form, headers={"X-Forwarded-For": address})
        assert response.status_code == status
    assert set(await _full_at()) == {OURS, *(forged if trusted else [])}


async def test_login_when_a_trusted_proxy_names_no_client_then_counted_all_the_same(
    auth: AuthClient, auth_app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(auth_app.state, "trusted_proxies", TrustedProxies(["127.0.0.1"]))
    assert (await auth.login("nobody@example.com", "guessing")).status_code == 400
    assert set(await _full_at()) == {"unknown"}


async def test_login_when_the_addresses_are_of_one_ipv6_network_then_they_share_a_bucket(auth_app: RunningApp) -> None:
    for address in ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"):
        async with auth_client(auth_app, address) as client:
            assert (await client.login(f"{uuid4()}@example.com", "guessing")).status_code == 400
    assert set(await _full_at()) == {"2001:db8:0:1::/64", "2001:db8:0:2::/64", "2001:db8::/48"}


async def test_login_when_it_succeeds_then_it_costs_the_address_nothing(auth: AuthClient, email: str) -> None:
    full_at = await _use_tokens(timedelta(seconds=40))
    for _ in range(5):
        assert (await auth.login(email)).status_code == 200
        assert await _full_at() == {OURS: full_at}
    assert (await auth.login(email, "guessing")).status_code == 400
    assert await _full_at() == {OURS: full_at + FAILED_LOGINS_AND_MAIL_REQUESTS.refill}


async def test_login_when_logins_of_one_address_succeed_then_they_are_never_limited(
    auth: AuthClient, email: str
) -> None:
    for _ in range(FAILED_LOGINS_AND_MAIL_REQUESTS.capacity + 10):
        assert (await auth.login(email)).status_code == 200


async def test_login_when_it_was_refused_before_then_refused_again_without_the_database(
    auth: AuthClient, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _use_up()
    assert (await auth.login(email)).status_code == 429

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(engine.sync_engine.pool, "connect", refuse)
    again = await auth.login("eve@example.com")
    assert again.status_code == 429
    assert 3500 < int(again.headers["retry-after"]) <= 3600


async def test_record_success_when_a_concurrent_attempt_was_refused_then_that_is_forgotten() -> None:
    refusals = RememberedRefusals()
    attempt = LoginAttempt(refusals, "ada@example.com", OURS, None)
    async with db_sessions.begin() as session:
        started_at = await attempt.start(session)
    refusals.add(FAILED_LOGINS_AND_MAIL_REQUESTS.key(OURS), 3600)
    with pytest.raises(TooManyFailedLogins):
        attempt.check()
    async with db_sessions.begin() as session:
        await attempt.record_success(session, started_at)
    attempt.check()


async def test_login_when_only_the_scope_is_refused_then_nothing_is_counted(auth: AuthClient, email: str) -> None:
    full_at = await _use_tokens(timedelta(seconds=40))
    for _ in range(FREE_ATTEMPTS + 1):
        assert (await auth.login(email, scope="everything")).json()["error"] == "invalid_scope"
    assert await _full_at() == {OURS: full_at}
    assert (await auth.login(email)).status_code == 200


async def test_login_when_the_device_is_known_then_the_guesses_of_others_do_not_delay_it(
    auth: AuthClient, email: str
) -> None:
    device_token = (await auth.login(email)).json()["device_token"]
    await _pause_name(auth, email)
    await _use_up()
    assert (await auth.login(email)).status_code == 429
    known = await auth.login(email, device_token=device_token)
    assert (known.status_code, known.json()["device_token"]) == (200, device_token)
    assert (await auth.login(email)).status_code == 429, "the pause of unknown devices goes on"


async def test_login_when_the_device_token_is_a_cookie_then_the_device_is_known(auth: AuthClient, email: str) -> None:
    response = await auth.login(email)
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"device_token={response.json()['device_token']};")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/auth", f"max-age={90 * 24 * 3600}"} <= attributes
    await _pause_name(auth, email)
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    known = await auth.http.post("/auth/token", data=form, headers={"Cookie": cookie.split(";")[0]})
    assert known.status_code == 200


async def test_login_when_a_known_device_fails_then_it_has_its_own_limit(auth: AuthClient, email: str) -> None:
    device_token = (await auth.login(email)).json()["device_token"]
    full_at = await _use_tokens(timedelta(seconds=40))
    for _ in range(FREE_ATTEMPTS):
        assert (await auth.login(email, "guessing", device_token=device_token)).status_code == 400
    async with db_sessions.begin() as session:
        await session.execute(update(FailedLogin).values(next_attempt_at=func.now() + timedelta(minutes=10)))
    assert (await auth.login(email, device_token=device_token)).status_code == 429
    assert await _full_at() == {OURS: full_at}, "it does not use the tokens of its address"
    assert (await auth.login(email)).status_code == 200, "other devices are not affected"


async def _other_account(auth: AuthClient, device_token: str) -> str:
    other = (await auth.register()).json()["email"]
    return str((await auth.login(other)).json()["device_token"])


async def _expired(_: AuthClient, device_token: str) -> str:
    async with db_sessions.begin() as session:
        await session.execute(update(Device).values(expires_at=func.now() - timedelta(seconds=1)))
    return device_token


async def _malformed(_: AuthClient, device_token: str) -> str:
    return f"{device_token}\x00é"


async def _invented(_: AuthClient, device_token: str) -> str:
    return device_token[::-1]


@pytest.mark.parametrize("change", [_other_account, _expired, _malformed, _invented])
async def test_login_when_the_device_token_is_not_valid_for_the_account_then_the_device_is_unknown(
    auth: AuthClient, email: str, change: Callable[[AuthClient, str], Awaitable[str]]
) -> None:
    device_token = await change(auth, (await auth.login(email)).json()["device_token"])
    login = await auth.login(email, device_token=device_token)
    assert login.status_code == 200
    assert login.json()["device_token"] != device_token, "it gets a device token of its own"
    await _pause_name(auth, email)
    if change is _expired:
        device_token = await change(auth, device_token)
    assert (await auth.login(email, device_token=device_token)).status_code == 429


async def test_token_when_it_is_not_a_login_then_it_has_no_device_token(auth: AuthClient, email: str) -> None:
    login = (await auth.login(email)).json()
    refreshed: httpx.Response = await auth.refresh(login["refresh_token"])
    assert "device_token" not in refreshed.json()
    assert "set-cookie" not in refreshed.headers
