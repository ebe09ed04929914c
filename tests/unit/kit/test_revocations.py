"""The revocation list in a service: polled, and kept while auth is unavailable."""

import asyncio

import httpx
import pytest

from contracts.revocations import RevocationList
from contracts.tokens import AccessClaims
from kit import revocations
from kit.revocations import Revocations, revocations_fetcher, revocations_url


def claims(**values: object) -> AccessClaims:
    base = {"iss": "i", "sub": "ada", "aud": "shop", "exp": 2000, "iat": 1000, "jti": "1", "client_id": "shop"}
    return AccessClaims.model_validate(base | values)


@pytest.mark.parametrize(
    ("found", "revoked"),
    [
        (RevocationList(), False),
        (RevocationList(sessions=["s"]), True),
        (RevocationList(sessions=["t"], subjects={"bob": 5000}, tokens=["s", "ada"]), False),
        (RevocationList(tokens=["1"]), True),
        (RevocationList(subjects={"ada": 999}), False),
        (RevocationList(subjects={"ada": 1000}), True),
        (RevocationList(issued_before=999), False),
        (RevocationList(issued_before=1000), True),
    ],
)
def test_token_when_an_entry_concerns_it_is_revoked(found: RevocationList, revoked: bool) -> None:
    list_of_service = Revocations(unavailable)
    list_of_service.use(found)
    assert list_of_service.is_revoked(claims(sid="s")) is revoked


def test_token_of_a_client_is_not_revoked_because_it_has_no_session() -> None:
    list_of_service = Revocations(unavailable)
    list_of_service.use(RevocationList(sessions=["s"]))
    assert not list_of_service.is_revoked(claims())


async def unavailable() -> RevocationList | None:
    raise httpx.ConnectError("unavailable")


class Auth:
    """Answers with `found`, or raises it. `fetched` is set by each fetch."""

    def __init__(self, found: RevocationList | Exception | None) -> None:
        self.found = found
        self.fetched = asyncio.Event()

    async def __call__(self) -> RevocationList | None:
        self.fetched.set()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def wait_fetched(self) -> None:
        """Wait until the list has been fetched again, and used."""
        for _ in range(2):
            self.fetched.clear()
            await asyncio.wait_for(self.fetched.wait(), 5)


async def test_list_when_auth_is_unavailable_stays_in_force_and_is_fetched_again_later() -> None:
    auth = Auth(RevocationList(sessions=["s"]))
    service = Revocations(auth)
    async with service.polling(seconds=0.001):
        assert service.is_revoked(claims(sid="s")), "the list is fetched before the first request"
        for nothing_new in (httpx.ReadTimeout("slow"), ValueError("no list"), None):
            auth.found = nothing_new
            await auth.wait_fetched()
            assert service.is_revoked(claims(sid="s"))
        auth.found = RevocationList(sessions=["t"])
        await auth.wait_fetched()
        assert service.is_revoked(claims(sid="t"))
        assert not service.is_revoked(claims(sid="s"))


async def test_list_when_it_was_never_fetched_refuses_nothing_and_is_fetched_as_soon_as_auth_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revocations, "FIRST_POLL_SECONDS", 0.001)
    auth = Auth(httpx.ConnectError("unavailable"))
    service = Revocations(auth)
    async with service.polling(seconds=3600):
        assert not service.is_revoked(claims(sid="s"))
        auth.found = RevocationList(sessions=["s"])
        async with asyncio.timeout(5):
            while not service.is_revoked(claims(sid="s")):  # noqa: ASYNC110 -- no event tells it
                await asyncio.sleep(0)


async def test_fetch_when_the_etag_is_the_same_returns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tags: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tags.append(request.headers.get("if-none-match"))
        if request.headers.get("if-none-match") == '"1"':
            return httpx.Response(304)
        return httpx.Response(200, content=RevocationList(sessions=["s"]).model_dump_json(), headers={"ETag": '"1"'})

    monkeypatch.setattr(revocations, "HttpClient", lambda **_: httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    fetch = revocations_fetcher("http://auth.test/auth/revocations")
    found = await fetch()
    assert found is not None
    assert found.sessions == ["s"]
    assert await fetch() is None
    assert tags == [None, '"1"']


def test_url_is_on_the_host_of_the_public_keys() -> None:
    assert revocations_url("http://auth:8001/.well-known/jwks.json") == "http://auth:8001/auth/revocations"
