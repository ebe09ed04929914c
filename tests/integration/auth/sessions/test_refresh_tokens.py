import asyncio

import jwt
from sqlalchemy import func, select, text, update

from services.auth.clients.models import Client
from services.auth.db import db_sessions, engine
from services.auth.models import ADMIN, CUSTOMER, Account
from services.auth.sessions.models import LoginSession
from tests.fixtures.auth import AuthClient
from tests.fixtures.statements import recorded


async def _login(auth: AuthClient, email: str) -> str:
    token: str = (await auth.login(email)).json()["refresh_token"]
    return token


async def test_refresh_returns_the_next_token(auth: AuthClient, email: str) -> None:
    tokens = [await _login(auth, email)]
    for _ in range(5):
        response = await auth.refresh(tokens[-1])
        assert response.status_code == 200
        assert response.json()["scope"] == "orders:write payments:write"
        assert (await auth.me(response.json()["access_token"])).json()["email"] == email
        tokens.append(response.json()["refresh_token"])
    assert len(set(tokens)) == 6
    async with db_sessions() as session:
        assert await session.scalar(select(func.count()).select_from(LoginSession)) == 1, "rotations add no rows"


async def test_refresh_when_the_token_was_not_used_then_needs_no_transaction(auth: AuthClient, email: str) -> None:
    token = await _login(auth, email)
    with recorded(engine) as of_transactions:
        for _ in range(3):
            token = (await auth.refresh(token, client_id="shop")).json()["refresh_token"]
    assert of_transactions == []


async def _let_retry_period_pass() -> None:
    async with db_sessions.begin() as session:
        await session.execute(update(LoginSession).values(rotated_at=func.now() - text("interval '10 seconds'")))


async def test_refresh_when_the_parent_is_sent_again_then_the_child_is_the_same(auth: AuthClient, email: str) -> None:
    token = await _login(auth, email)
    child = (await auth.refresh(token)).json()["refresh_token"]
    assert (await auth.refresh(token)).json()["refresh_token"] == child
    grandchild = (await auth.refresh(child)).json()["refresh_token"]
    assert (await auth.refresh(child)).json()["refresh_token"] == grandchild


async def test_refresh_when_the_parent_is_sent_again_later_then_only_its_session_ends(
    auth: AuthClient, email: str
) -> None:
    stolen, other = await _login(auth, email), await _login(auth, email)
    current = (await auth.refresh(stolen)).json()["refresh_token"]
    await _let_retry_period_pass()
    assert (await auth.refresh(stolen)).json()["error"] == "invalid_grant"
    assert (await auth.refresh(current)).json()["error"] == "invalid_grant"
    assert (await auth.refresh(other)).status_code == 200


async def test_refresh_when_the_parent_of_the_parent_is_sent_then_the_session_ends(
    auth: AuthClient, email: str
) -> None:
    first = await _login(auth, email)
    second = (await auth.refresh(first)).json()["refresh_token"]
    third = (await auth.refresh(second)).json()["refresh_token"]
    assert (await auth.refresh(first)).json()["error"] == "invalid_grant"
    assert (await auth.refresh(third)).json()["error"] == "invalid_grant"


async def test_refresh_when_twenty_at_once_then_all_get_the_same_child(auth: AuthClient, email: str) -> None:
    token = await _login(auth, email)
    responses = await asyncio.gather(*(auth.refresh(token) for _ in range(20)))
    assert [response.status_code for response in responses] == [200] * 20
    assert len({response.json()["refresh_token"] for response in responses}) == 1


async def test_refresh_when_the_database_has_ended_the_connections_then_the_session_goes_on(
    auth: AuthClient, email: str
) -> None:
    token = await _login(auth, email)
    for _ in range(3):
        async with db_sessions() as session:
            own_connections = "application_name = 'auth' AND pid <> pg_backend_pid()"
            await session.execute(
                text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {own_connections}")
            )
        refreshed = await auth.refresh(token)
        assert refreshed.status_code == 200, refreshed.text
        token = refreshed.json()["refresh_token"]


async def test_refresh_when_a_client_is_named_then_it_must_exist_and_be_public_without_a_secret(
    auth: AuthClient, email: str
) -> None:
    token = await _login(auth, email)
    named = await auth.refresh(token, client_id="shop")
    assert named.status_code == 200, named.text
    for wrong in ({"client_secret": "x"}, {"client_id": "shop\x00"}, {"client_id": "unknown"}):
        refused = await auth.refresh(named.json()["refresh_token"], **{"client_id": "shop", **wrong})
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client"), wrong
    async with db_sessions.begin() as session:
        await session.execute(update(Client).where(Client.id == "shop").values(public=False))
    refused = await auth.refresh(named.json()["refresh_token"], client_id="shop")
    async with db_sessions.begin() as session:
        await session.execute(update(Client).where(Client.id == "shop").values(public=True))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_refresh_when_expired_then_the_parent_is_refused_too(auth: AuthClient, email: str) -> None:
    token = await _login(auth, email)
    await auth.refresh(token)
    async with db_sessions.begin() as session:
        await session.execute(update(LoginSession).values(expires_at=func.now()))
    assert (await auth.refresh(token)).json()["error"] == "invalid_grant"


async def test_refresh_when_expired_then_refused(auth: AuthClient, email: str) -> None:
    token = await _login(auth, email)
    async with db_sessions.begin() as session:
        await session.execute(update(LoginSession).values(expires_at=func.now()))
    assert (await auth.refresh(token)).json()["error"] == "invalid_grant"


async def test_refresh_extends_the_lifetime_up_to_the_absolute_limit(auth: AuthClient, email: str) -> None:
    token = await _login(auth, email)
    days = func.date_part("day", LoginSession.expires_at - LoginSession.created_at)
    async with db_sessions.begin() as session:
        assert await session.scalar(select(days)) == 30
        await session.execute(update(LoginSession).values(absolute_expires_at=func.now() + text("interval '3 days'")))
    assert (await auth.refresh(token)).status_code == 200
    async with db_sessions() as session:
        assert await session.scalar(select(LoginSession.expires_at == LoginSession.absolute_expires_at))


async def test_refresh_when_a_larger_scope_is_requested_then_refused_and_the_token_stays_valid(
    auth: AuthClient, email: str
) -> None:
    token = (await auth.login(email, scope="orders:write")).json()["refresh_token"]
    refused = await auth.refresh(token, scope="orders:write payments:write")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    assert (await auth.refresh(token)).json()["scope"] == "orders:write", "a refused scope does not use the token"


async def test_refresh_when_the_account_is_no_longer_admin_then_customer_scopes(auth: AuthClient, email: str) -> None:
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(role=ADMIN))
    token = await _login(auth, email)
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(role=CUSTOMER))
    assert (await auth.refresh(token)).json()["scope"] == "orders:write payments:write"


async def test_revoke_when_a_token_is_sent_then_only_its_session_ends(auth: AuthClient, email: str) -> None:
    revoked, other = await _login(auth, email), await _login(auth, email)
    for token in (revoked, revoked, "nonsense", "", "\x00", f"{'a' * 22}.{'b' * 43}"):
        assert (await auth.revoke(token)).status_code == 200
    assert (await auth.refresh(revoked)).json()["error"] == "invalid_grant"
    assert (await auth.refresh(other)).status_code == 200
    assert (await auth.http.post("/auth/revoke")).json()["error"] == "invalid_request"


async def test_refresh_when_the_stored_digest_is_sent_then_refused(auth: AuthClient, email: str) -> None:
    token = await _login(auth, email)
    async with db_sessions() as session:
        row = (await session.execute(select(LoginSession.token_prefix, LoginSession.secret_digest))).one()
    assert token.partition(".")[2].encode() not in row.secret_digest
    assert (await auth.refresh(f"{row.token_prefix}.{row.secret_digest.hex()[:43]}")).status_code == 400


async def test_refresh_token_when_sent_as_access_token_then_refused(auth: AuthClient, email: str) -> None:
    tokens = (await auth.login(email)).json()
    assert (await auth.me(tokens["refresh_token"])).status_code == 401
    assert (await auth.refresh(tokens["access_token"])).json()["error"] in {"invalid_grant", "invalid_request"}
    assert jwt.decode(tokens["access_token"], options={"verify_signature": False})["jti"] not in tokens["refresh_token"]
