"""Rules that every route of every service follows. The routes are those of the OpenAPI documents, so that no new one is forgotten."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI

from kit.auth import TokenVerifier
from services.auth.app import app as auth_app
from services.auth.keys import key_folder
from services.auth.keys.signing_keys import KeyType
from services.auth.settings import settings
from services.catalog.app import app as catalog_app
from services.payments.app import app as payments_app
from tests.fixtures.apps import RunningApp, running
from tests.fixtures.tokens import ADMIN, ISSUER, Signer

APPS: dict[str, FastAPI] = {"auth": auth_app, "catalog": catalog_app, "payments": payments_app}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
WEBHOOKS, CALLBACK = "/payments/webhooks/paystack", "/payments/callback"
EXAMPLES = {"uuid": "00000000-0000-4000-8000-000000000000", "integer": "7"}


class Operation(NamedTuple):
    """An operation of a document. `url` is its path with examples as parameters."""

    method: str
    url: str
    path: str
    content: dict[str, Any]

    def declares(self, status: int) -> list[str]:
        """Return the codes that the operation declares for a status."""
        response = self.content["responses"].get(str(status), {}).get("content", {}).get("application/problem+json")
        return [] if response is None else list(response["schema"]["allOf"][1]["properties"]["code"]["enum"])


def operations(app: FastAPI) -> Iterator[Operation]:
    for path, methods in app.openapi()["paths"].items():
        for method, content in methods.items():
            url = path
            for parameter in content.get("parameters", []):
                schema = parameter["schema"]
                example = EXAMPLES.get(schema.get("format", schema.get("type")), "x")
                url = url.replace(f"{{{parameter['name']}}}", example)
            yield Operation(method.upper(), url, path, content)


@pytest.fixture(scope="module", params=APPS)
async def service(request: pytest.FixtureRequest, postgres: object, signer: Signer) -> AsyncIterator[RunningApp]:
    key_folder.create_first(settings.auth_keys_dir, KeyType.RSA)
    verifier = TokenVerifier(signer.jwks, issuer=ISSUER, audience="shop")
    async with running(APPS[request.param], verifier=verifier) as app:
        yield app


@pytest.fixture
async def client(service: RunningApp, signer: Signer) -> AsyncIterator[httpx.AsyncClient]:
    """A client with every scope."""
    async with service.client("http://service.test") as http:
        http.headers.update({**signer.headers(scopes=ADMIN), "X-Request-ID": "equal-in-all-responses"})
        yield http


def summary(response: httpx.Response) -> tuple[int, str | None]:
    problem = response.json() if "problem" in response.headers.get("content-type", "") else {}
    return response.status_code, problem.get("code")


Failures = Callable[[object, object, object], None]


@pytest.fixture
def same() -> Iterator[Failures]:
    """Collect what differs for all operations, so that one run shows every route that breaks a rule."""
    found: list[str] = []

    def compare(what: object, actual: object, expected: object) -> None:
        if actual != expected:
            found.append(f"{what}: {actual} instead of {expected}")

    yield compare
    assert found == []


async def test_unknown_query_parameters_are_refused(
    service: RunningApp, client: httpx.AsyncClient, same: Failures
) -> None:
    for method, url, path, _ in operations(service.app):
        # The second name is a lone surrogate, which JSON in UTF-8 cannot contain.
        response = await client.request(method, f"{url}?limitt=5&%ED%A0%80=")
        if path in {WEBHOOKS, CALLBACK}:
            same((method, path), response.status_code in {401, 404}, True)
            continue
        same((method, path), summary(response), (422, "invalid_request"))
        same((method, path), response.json().get("detail"), "limitt: is not a known parameter.")
        same((method, path), response.json()["errors"][0]["in"], "query.limitt")
        same((method, path), len(response.json()["errors"]), 2)


async def test_blank_query_parameters_count_as_absent(
    service: RunningApp, client: httpx.AsyncClient, same: Failures
) -> None:
    for method, url, path, content in operations(service.app):
        names = [each["name"] for each in content.get("parameters", []) if each["in"] == "query"]
        if method == "GET" and path not in {"/livez", "/readyz"}:
            plain = await client.get(url)
            for blank in ("", " ", "%09"):
                response = await client.get(f"{url}?{'&'.join(f'{name}={blank}' for name in names)}")
                same((path, blank), (response.status_code, response.content), (plain.status_code, plain.content))


async def test_head_answers_like_get_without_a_body(
    service: RunningApp, client: httpx.AsyncClient, same: Failures
) -> None:
    paths = [(operation.url, operation.path) for operation in operations(service.app) if operation.method == "GET"]
    for url, path in [*paths, ("/metrics", "/metrics"), ("/openapi.json", "/openapi.json"), ("/docs", "/docs")]:
        get, head = await client.get(url), await client.head(url)
        same(path, (head.status_code, head.content), (get.status_code, b""))
        same(path, head.headers.get("content-type"), get.headers.get("content-type"))


async def test_405_lists_every_method_of_the_path(
    service: RunningApp, client: httpx.AsyncClient, same: Failures
) -> None:
    for url in {operation.url for operation in operations(service.app)}:
        # The unknown parameter keeps a request from having an effect.
        responses = {method: await client.request(method, url, params={"unknown": "1"}) for method in METHODS}
        allowed = {method for method, response in responses.items() if response.status_code != 405}
        for method in set(METHODS) - allowed:
            if method != "HEAD":
                same((method, url), summary(responses[method]), (405, "method_not_allowed"))
            same((method, url), set(responses[method].headers["allow"].split(", ")), allowed)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/xml", "image/json"])
async def test_a_body_with_another_content_type_is_refused(
    service: RunningApp, client: httpx.AsyncClient, same: Failures, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    for method, url, path, content in operations(service.app):
        if method not in {"POST", "PUT", "PATCH"} or (content_type and "requestBody" not in content):
            continue
        response = await client.request(method, url, content=b'{"x": 1}', headers=headers)
        if path == WEBHOOKS:
            same(path, summary(response), (401, "bad_signature"))
        else:
            same((method, path), summary(response), (415, "unsupported_media_type"))


async def test_a_request_without_a_body_needs_no_content_type(
    service: RunningApp, client: httpx.AsyncClient, same: Failures
) -> None:
    for method, url, path, _ in operations(service.app):
        if method in {"POST", "PUT", "PATCH"}:
            same((method, path), (await client.request(method, url)).status_code == 415, False)


async def test_a_body_that_is_too_large_is_refused(
    service: RunningApp, client: httpx.AsyncClient, same: Failures
) -> None:
    for method, url, path, _ in operations(service.app):
        if method in {"POST", "PUT", "PATCH"}:
            response = await client.request(method, url, content=b"x" * (1024 * 1024 + 1))
            same((method, path), summary(response), (413, "body_too_large"))


async def test_the_declared_security_is_required(
    service: RunningApp, client: httpx.AsyncClient, signer: Signer, same: Failures
) -> None:
    nobody = signer.headers(scopes=frozenset())
    for operation in operations(service.app):
        method, url, path, content = operation
        without_token = await client.request(method, url, headers={"Authorization": ""})
        if content.get("security") and {} in content["security"]:  # optional
            same((method, path), without_token.status_code == 401, False)
            bad_token = await client.request(method, url, headers={"Authorization": "Bearer x"})
            same((method, path), summary(bad_token), (401, "not_authenticated"))
        elif content.get("security"):
            same((method, path), summary(without_token), (401, "not_authenticated"))
        else:
            same((method, path), "not_authenticated" in operation.declares(401), False)
        if "not_allowed" in operation.declares(403):
            same((method, path), summary(await client.request(method, url, headers=nobody)), (403, "not_allowed"))


async def test_a_path_parameter_with_a_slash_is_a_declared_error(
    service: RunningApp, client: httpx.AsyncClient, same: Failures
) -> None:
    for method, _, path, content in operations(service.app):
        if "{" in path:
            url = re.sub(r"\{\w+\}", "a%2Fb%2Fc%2Fd%2Fe", path)
            same((method, path), summary(await client.request(method, url)), (404, "not_found"))
            same((method, path), "404" in content["responses"], True)
