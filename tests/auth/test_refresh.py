import asyncio

import jwt
from sqlalchemy import func, select, text, update

from services.auth.db import sessions
from services.auth.models import Account, RefreshFamily
from tests.auth.conftest import Shop


async def _login(shop: Shop, email: str) -> str:
    token: str = (await shop.login(email)).json()["refresh_token"]
    return token


async def test_each_use_gives_the_next(shop: Shop, email: str) -> None:
    tokens = [await _login(shop, email)]
    for _ in range(5):
        answer = await shop.refresh(tokens[-1])
        assert answer.status_code == 200
        assert answer.json()["scope"] == "orders:write payments:write"
        assert (await shop.me(answer.json()["access_token"])).json()["email"] == email
        tokens.append(answer.json()["refresh_token"])
    assert len(set(tokens)) == 6
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(RefreshFamily)) == 1, "uses leave nothing behind"


async def test_an_old_one_ends_its_family_and_no_other(shop: Shop, email: str) -> None:
    stolen, other = await _login(shop, email), await _login(shop, email)
    current = (await shop.refresh(stolen)).json()["refresh_token"]
    assert (await shop.refresh(stolen)).json()["error"] == "invalid_grant"
    assert (await shop.refresh(current)).json()["error"] == "invalid_grant"
    assert (await shop.refresh(other)).status_code == 200


async def test_of_twenty_at_once_one_wins(shop: Shop, email: str) -> None:
    token = await _login(shop, email)
    answers = await asyncio.gather(*(shop.refresh(token) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    winner = next(answer for answer in answers if answer.status_code == 200).json()["refresh_token"]
    assert (await shop.refresh(winner)).status_code == 400, "nineteen old tokens came: the family has ended"


async def test_dies_unused(shop: Shop, email: str) -> None:
    token = await _login(shop, email)
    async with sessions.begin() as session:
        await session.execute(update(RefreshFamily).values(expires_at=func.now()))
    assert (await shop.refresh(token)).json()["error"] == "invalid_grant"


async def test_use_prolongs_it_to_the_end_of_its_family_and_not_beyond(shop: Shop, email: str) -> None:
    token = await _login(shop, email)
    days = func.date_part("day", RefreshFamily.expires_at - RefreshFamily.created_at)
    async with sessions.begin() as session:
        assert await session.scalar(select(days)) == 30
        await session.execute(update(RefreshFamily).values(ends_at=func.now() + text("interval '3 days'")))
    assert (await shop.refresh(token)).status_code == 200
    async with sessions() as session:
        assert await session.scalar(select(RefreshFamily.expires_at == RefreshFamily.ends_at))


async def test_a_scope_may_be_less_and_never_more(shop: Shop, email: str) -> None:
    token = (await shop.login(email, scope="orders:write")).json()["refresh_token"]
    refused = await shop.refresh(token, scope="orders:write payments:write")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    assert (await shop.refresh(token)).json()["scope"] == "orders:write", "a refused scope uses nothing up"


async def test_an_admin_who_is_none_any_more_gets_less(shop: Shop, email: str) -> None:
    async with sessions.begin() as session:
        await session.execute(update(Account).values(role="admin"))
    token = await _login(shop, email)
    async with sessions.begin() as session:
        await session.execute(update(Account).values(role="customer"))
    assert (await shop.refresh(token)).json()["scope"] == "orders:write payments:write"


async def test_logging_out_ends_one_family(shop: Shop, email: str) -> None:
    left, stayed = await _login(shop, email), await _login(shop, email)
    for token in (left, left, "nonsense", "\x00", f"{'a' * 22}.{'b' * 43}"):
        assert (await shop.http.post("/auth/revoke", data={"token": token})).status_code == 200
    assert (await shop.refresh(left)).json()["error"] == "invalid_grant"
    assert (await shop.refresh(stayed)).status_code == 200
    assert (await shop.http.post("/auth/revoke")).json()["error"] == "invalid_request"


async def test_what_is_stored_opens_nothing(shop: Shop, email: str) -> None:
    token = await _login(shop, email)
    async with sessions() as session:
        row = (await session.execute(select(RefreshFamily.id, RefreshFamily.digest))).one()
    assert token.partition(".")[2].encode() not in row.digest
    assert (await shop.refresh(f"{row.id}.{row.digest.hex()[:43]}")).status_code == 400


async def test_is_no_access_token(shop: Shop, email: str) -> None:
    tokens = (await shop.login(email)).json()
    assert (await shop.me(tokens["refresh_token"])).status_code == 401
    assert (await shop.refresh(tokens["access_token"])).json()["error"] in {"invalid_grant", "invalid_request"}
    assert jwt.decode(tokens["access_token"], options={"verify_signature": False})["jti"] not in tokens["refresh_token"]
