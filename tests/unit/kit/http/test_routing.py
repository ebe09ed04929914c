"""The rules that every route follows."""

from fastapi import Response

from kit.http.routing import Router
from tests.fixtures.sample_app import make_app, sample_client


async def test_response_of_a_route_that_returns_nothing_has_no_body() -> None:
    router = Router()

    @router.post("/begun", status_code=202)
    async def begin(response: Response) -> None:
        response.headers["X-Own"] = "kept"

    @router.post("/null")
    async def find() -> str | None:
        return None

    async with sample_client(make_app([router])) as client:
        answer = await client.post("/begun")
        assert (answer.status_code, answer.content, answer.headers["content-length"]) == (202, b"", "0")
        assert "content-type" not in answer.headers
        assert answer.headers["x-own"] == "kept"
        assert (await client.post("/null")).json() is None
        document = (await client.get("/openapi.json")).json()
    assert "content" not in document["paths"]["/begun"]["post"]["responses"]["202"]
