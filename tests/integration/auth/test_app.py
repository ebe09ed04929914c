from services.auth.app import checks
from tests.fixtures.auth import AuthClient


async def test_openapi_has_a_summary_and_a_description_for_every_route(auth: AuthClient) -> None:
    document = (await auth.http.get("/openapi.json")).json()
    routes = {path: methods for path, methods in document["paths"].items() if path not in {"/livez", "/readyz"}}
    assert {"/auth/users", "/auth/me", "/auth/token", "/auth/revoke", "/.well-known/jwks.json"} <= set(routes)
    for path, methods in routes.items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["description"].endswith("."), path


async def test_readyz_when_started_then_every_check_passes(auth: AuthClient) -> None:
    assert set(checks) == {"database", "keys", "admin"}
    assert (await auth.http.get("/readyz")).json() == {"status": "ready"}
