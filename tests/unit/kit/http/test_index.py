"""The route `/`."""

import httpx

from tests.fixtures.sample_app import sample_client


async def test_index_names_the_service_and_links_to_routes_that_exist() -> None:
    async with sample_client() as client:
        body = (await client.get("/")).json()
        document = (await client.get("/openapi.json")).json()
        assert (body["name"], body["version"]) == ("sample", document["info"]["version"])
        answers: dict[str, httpx.Response] = {name: await client.get(path) for name, path in body["links"].items()}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        ("openapi", "docs", "liveness", "readiness", "metrics"), 200
    )
