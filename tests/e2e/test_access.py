"""Access to the services: invalid tokens are refused, errors are problem+json, and customers see only what is theirs."""

import asyncio
import base64
import json
import re
import sys
import time
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dev import PROJECT
from tests.fixtures.stack_client import Json, StackClient

GUARDED = [
    ("GET", "AUTH_URL", "/auth/me"),
    ("POST", "CATALOG_URL", "/catalog/orders"),
    ("GET", "CATALOG_URL", f"/catalog/orders/{UUID(int=7)}"),
    ("POST", "CATALOG_URL", "/catalog/products"),
    ("POST", "PAYMENTS_URL", "/payments"),
    ("GET", "PAYMENTS_URL", "/payments"),
    ("GET", "PAYMENTS_URL", "/payments/pay-1"),
    ("POST", "PAYMENTS_URL", "/payments/pay-1/verify"),
]


def _invalid_tokens(shop: StackClient) -> dict[str, str]:
    good = shop.bearer()["Authorization"].removeprefix("Bearer ")
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kid = jwt.get_unverified_header(good)["kid"]
    foreign_header = {"kid": kid, "typ": "at+jwt"}
    public = foreign.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    none = base64.urlsafe_b64encode(json.dumps({**foreign_header, "alg": "none"}).encode()).rstrip(b"=").decode()
    swapped = base64.urlsafe_b64encode(json.dumps({**claims, "scope": "catalog:write"}).encode()).rstrip(b"=").decode()
    return {
        "nonsense": "nonsense",
        "alg none": f"{none}.{payload}.",
        "payload swapped": f"{header}.{swapped}.{signature}",
        "signature mutated": f"{header}.{payload}.{signature[:-6]}AAAAAA",
        "foreign key": jwt.encode(claims, foreign, algorithm="RS256", headers=foreign_header),
        "HMAC with a public key": jwt.encode(claims, public.hex(), algorithm="HS256", headers=foreign_header),
        "expired": _token_of(shop.bearer(exp=int(time.time()) - 600)),
        "another audience": _token_of(shop.bearer(aud="elsewhere")),
        "another issuer": _token_of(shop.bearer(iss="http://elsewhere")),
    }


def _token_of(headers: Json) -> str:
    return str(headers["Authorization"]).removeprefix("Bearer ")


@pytest.mark.parametrize(("method", "service", "path"), GUARDED)
async def test_requests_with_invalid_tokens_are_refused(
    shop: StackClient, method: str, service: str, path: str
) -> None:
    url = f"{shop.env[service]}{path}"
    for name, token in _invalid_tokens(shop).items():
        answer = await shop.call(method, url, headers={"Authorization": f"Bearer {token}"}, json={})
        assert answer.status_code == 401, name
        assert answer.headers["content-type"] == "application/problem+json", name
        assert answer.headers["www-authenticate"].startswith("Bearer"), name
    assert (await shop.call(method, url, json={})).status_code == 401


@pytest.mark.parametrize("service", ["AUTH_URL", "CATALOG_URL", "PAYMENTS_URL"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("DELETE", "/livez", 405), ("POST", "/livez", 405), ("GET", "/%00", 404)],
)
async def test_error_responses_are_problems(
    shop: StackClient, service: str, method: str, path: str, status: int
) -> None:
    answer = await shop.call(method, f"{shop.env[service]}{path}", headers={"X-Request-ID": "abc-123"}, expect=status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "abc-123"
    assert float(answer.headers["x-process-time"]) >= 0
    body = answer.json()
    assert body["status"] == status
    assert body["request_id"] == "abc-123"
    assert {"type", "title", "code", "detail"} <= body.keys()


@pytest.mark.parametrize("service", ["AUTH_URL", "CATALOG_URL", "PAYMENTS_URL"])
async def test_health_metrics_and_docs_are_served(shop: StackClient, service: str) -> None:
    url = shop.env[service]
    for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json"):
        await shop.call("GET", f"{url}{path}", expect=200)
    page = (await shop.call("GET", f"{url}/docs", expect=200)).text
    assert "//" not in page.replace("<!DOCTYPE", ""), (
        "the page of a service that takes money must load nothing from elsewhere"
    )
    for script in re.findall(r'(?:src|href)="([^"]+)"', page):
        await shop.call("GET", f"{url}{script}", expect=200)


async def test_orders_and_payments_are_visible_to_their_customer_only(shop: StackClient) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    stranger = shop.bearer()
    order_url = f"{shop.env['CATALOG_URL']}/catalog/orders/{order['id']}"
    payment_url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}"
    for url in (order_url, payment_url):
        await shop.call("GET", url, headers=buyer, expect=200)
        await shop.call("GET", url, headers=shop.admin, expect=200)
        await shop.call("GET", url, headers=stranger, expect=404)
    stolen = await shop.call(
        "POST", f"{shop.env['PAYMENTS_URL']}/payments", json={"order_id": order["id"]}, headers=stranger
    )
    assert (stolen.status_code, stolen.json()["code"]) == (404, "order_not_found")


async def test_purchase_when_auth_is_down_works_with_existing_tokens(shop: StackClient) -> None:
    product = await shop.product()
    await shop.order(shop.bearer(), product)  # now both services have the keys
    buyer, _, _ = await shop.begin_purchase(product)
    await shop.stack.stop("auth")
    try:
        order = await shop.order(buyer, product)
        payment = await shop.start_payment(buyer, order)
        await shop.pay(payment["reference"])
        await shop.wait_delivered(buyer, order)
    finally:
        await shop.stack.start("auth")


async def run_command(shop: StackClient, service: str, *arguments: str) -> Any:
    """Run a command with only the variables of stack.env. Return what it prints with --json."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{service}", *arguments, "--json"),
        env=shop.env,
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


async def test_commands_of_every_service_need_only_the_variables_of_stack_env(shop: StackClient) -> None:
    assert (await run_command(shop, "payments", "status"))["worker"]["ready"] is True
    assert [one["email"] for one in await run_command(shop, "auth", "admin", "list")] == [shop.env["ADMIN_EMAIL"]]
    assert [key["state"] for key in await run_command(shop, "auth", "keys", "list")] == ["signing"]
    assert await run_command(shop, "catalog", "failed-events", "list") == []
