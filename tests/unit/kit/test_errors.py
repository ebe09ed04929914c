"""Error responses: problem+json with a stable code, and a detail in words that shows no input."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import problem_response
from tests.fixtures.sample_app import SECRET


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/fine", 405, "method_not_allowed"),
        ("GET", "/boom", 500, "internal_error"),
        ("GET", "/sold-out", 409, "sold_out"),
        ("GET", "/away", 503, "unavailable"),
        ("POST", "/things", 422, "invalid_request"),
    ],
)
async def test_every_error_is_problem_json(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path, headers={"X-Request-ID": "abc"})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"], body["request_id"]) == (status, code, "abc")
    assert body["type"] == f"urn:problem-type:shop:{code}"
    assert body["title"]
    assert body["detail"]


async def test_a_problem_has_its_docstring_and_extra_members(client: httpx.AsyncClient) -> None:
    body = (await client.get("/sold-out")).json()
    assert (body["detail"], body["left"]) == ("There is none left.", 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"name":5,"number":"x"}',
        b'{"name":"\\ud800","number":1}',
        b'{"name":"x","number":' + b"9" * 5000 + b"}",
        b'{"name":"x","number":1e999}',
        b'{"name":"x","number":NaN}',
        b"[" * 30_000,
        b"\xff\xfe",
    ],
)
async def test_an_invalid_body_is_a_client_error(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/things", content=body, headers={"content-type": "application/json"})
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_validation_error_does_not_repeat_the_input(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/things", params={"limit": 777}, json={"name": {"password": SECRET}, "number": SECRET}
    )
    assert response.status_code == 422
    assert SECRET not in response.text
    assert "777" not in response.text
    assert {error["in"] for error in response.json()["errors"]} == {"body.name", "body.number", "query.limit"}


@pytest.mark.parametrize(
    ("body", "query", "detail"),
    [
        ({"name": "x"}, "", "number: is missing."),
        ({"name": "x", "number": "many"}, "", "number: must be an integer."),
        ({"name": "", "number": 1}, "", "name: is too short (minimum length: 1)."),
        ({"name": "a\nb", "number": 1}, "", "name: must not contain line breaks or tabs."),
        ({"name": "x", "number": 1}, "?limit=6", "limit: must be at most 5."),
        ([], "", "body: must be an object."),
    ],
)
async def test_the_detail_of_a_validation_error_is_the_first_error(
    client: httpx.AsyncClient, body: object, query: str, detail: str
) -> None:
    problem = (await client.post(f"/things{query}", json=body)).json()
    assert (problem["code"], problem["detail"]) == ("invalid_request", detail)
    assert len(problem["errors"]) == 1


async def test_the_detail_of_invalid_json_names_the_body(client: httpx.AsyncClient) -> None:
    response = await client.post("/things", content=b"{", headers={"content-type": "application/json"})
    assert response.json()["detail"] == "body: is not valid JSON."


async def test_further_validation_errors_are_in_errors(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/things?limit=6", json={})).json()
    assert problem["detail"] == "limit: must be at most 5."
    assert [error["in"] for error in problem["errors"]] == ["query.limit", "body.name", "body.number"]


@given(st.text(st.characters(codec=None), max_size=50), st.sampled_from([400, 404, 409, 422, 503]))
def test_problem_with_any_detail_is_valid_json_in_utf_8(detail: str, status: int) -> None:
    body = json.loads(bytes(problem_response(status, "any_code", detail).body).decode())
    assert (body["status"], body["code"]) == (status, "any_code")
    assert body["detail"] == detail.encode("utf-8", "replace").decode()
