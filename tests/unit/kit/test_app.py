"""The common parts of every app."""

import httpx
import pytest


async def test_cors_headers_only_for_configured_origins(client: httpx.AsyncClient) -> None:
    asked = {"Origin": "https://shop.test", "Access-Control-Request-Method": "POST"}
    response = await client.options(
        "/things", headers={**asked, "Access-Control-Request-Headers": "traceparent,tracestate"}
    )
    assert response.headers["access-control-allow-origin"] == "https://shop.test"
    for path in ("/fine", "/boom", "/nowhere"):
        response = await client.get(path, headers={"Origin": "https://shop.test"})
        assert response.headers["access-control-allow-origin"] == "https://shop.test"
        for header in ("ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"):
            assert header in response.headers["access-control-expose-headers"]
        response = await client.get(path, headers={"Origin": "https://evil.test"})
        assert "access-control-allow-origin" not in response.headers


async def test_responses_are_not_stored_unless_the_route_allows_it(client: httpx.AsyncClient) -> None:
    for path in ("/fine", "/sold-out", "/boom", "/nowhere"):
        assert (await client.get(path)).headers["cache-control"] == "no-store"
    assert (await client.get("/cached")).headers["cache-control"] == "max-age=60"


async def test_the_openapi_document_is_encoded_once_and_has_an_etag(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await client.get("/openapi.json")
    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    assert first.json()["openapi"].startswith("3.1")

    def encode(*_: object, **__: object) -> str:
        raise AssertionError("the document is encoded again")

    monkeypatch.setattr("json.dumps", encode)
    monkeypatch.setattr("starlette.responses.JSONResponse.render", encode)
    assert (await client.get("/openapi.json")).content == first.content
    known = await client.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
