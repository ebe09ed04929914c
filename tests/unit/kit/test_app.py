"""The common parts of every app."""

import httpx


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
