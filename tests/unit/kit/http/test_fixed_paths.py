"""A path without parameters is never taken for a parameter of another path."""

import pytest
from fastapi import FastAPI

from kit.app import create_app
from kit.http.routing import Router
from kit.settings import Settings
from tests.fixtures.sample_app import lifespan, sample_client

router = Router()


@router.get("/payments/{reference}")
async def get_payment(reference: str) -> str:
    return reference


@router.post("/payments/charge")
async def charge() -> str:
    return "charged"


@router.get("/payments/{reference}/refunds")
async def list_refunds(reference: str) -> list[str]:
    return [reference]


@pytest.fixture(params=[1, -1], ids=["fixed path last", "fixed path first"])
def app(request: pytest.FixtureRequest) -> FastAPI:
    settings = Settings(token_issuer="http://auth.test", log_format="console")
    ordered = Router()
    ordered.routes.extend(router.routes[:: request.param])
    return create_app(
        "sample", settings, description="", checks={}, lifespan=lifespan, cursor_secret="", routers=[ordered]
    )


async def test_fixed_path_is_not_a_parameter_of_another_path(app: FastAPI) -> None:
    async with sample_client(app) as client:
        refused = await client.get("/payments/charge")
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert (await client.post("/payments/charge")).json() == "charged"
        for other in ("charge2", "recharge", "charge%0A", "x"):
            answer = await client.get(f"/payments/{other}")
            assert answer.status_code == 200
        assert (await client.get("/payments/charge/refunds")).json() == ["charge"]
        assert (await client.post("/payments/x")).status_code == 405
