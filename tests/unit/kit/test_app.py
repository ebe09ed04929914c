"""The common parts of every app."""

import httpx


async def test_cors_headers_only_for_configured_origins(client: httpx.AsyncClient) -> None:
    asked = {"Origin": "https://shop.test", "Access-Control-Request-Method": "POST"}
    response = await client.options("/things", headers=asked)
    assert response.headers["access-control-allow-origin"] == "https://shop.test"
    for path in ("/fine", "/boom", "/nowhere"):
        response = await client.get(path, headers={"Origin": "https://shop.test"})
        if path != "/boom":
            assert response.headers["access-control-allow-origin"] == "https://shop.test"
            assert "X-Request-ID" in response.headers["access-control-expose-headers"]
        response = await client.get(path, headers={"Origin": "https://evil.test"})
        assert "access-control-allow-origin" not in response.headers
