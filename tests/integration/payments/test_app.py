import httpx
from starlette.routing import Mount, Route

from services.payments.app import app


async def test_openapi_has_a_summary_and_a_description_for_every_route(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    routes = {path: methods for path, methods in document["paths"].items() if path not in {"/livez", "/readyz"}}
    assert {"/payments", "/payments/webhooks/paystack", "/payments/webhook-events", "/payments/disputes"} <= set(routes)
    for path, methods in routes.items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["description"].endswith("."), path
            assert all(parameter["description"] for parameter in operation.get("parameters", [])), path


def test_routes_are_matched_without_included_routers() -> None:
    assert all(isinstance(route, Route | Mount) for route in app.routes)
