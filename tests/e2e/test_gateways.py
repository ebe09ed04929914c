"""The gateways of deploy/gateway/, Caddy and nginx, as real servers in front of the services and a service of the shop's own."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from rich.console import Console as Terminal

from contracts.tokens import PROGRAM_SCOPES
from dev.cli.calls import Calls, Shop
from dev.cli.guest_purchase import GuestPurchase
from dev.process.ports import LOOPBACK
from dev.stack.stack import Stack
from services.payments.paystack.webhook_addresses import WEBHOOK_ADDRESSES
from tests.fixtures.echoing_service import EchoingService, Received, running_service
from tests.fixtures.forged_tokens import MALFORMED, forge, well_formed
from tests.fixtures.gateways import CLIENT, KINDS, TLS_SERVER, Answer, Gateway, running_gateway
from tests.fixtures.stack_client import StackClient, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the clients need the addresses 127.0.0.2 to 127.0.0.4")

ALLOWED = "127.0.0.2"
WEBHOOK = "/payments/webhooks/paystack"
GUARDED = ("/auth/me", "/catalog/orders", "/payments")
CALLER = ("x-auth-subject", "x-auth-scope", "x-auth-session")
CLAIMED = [
    *((name, "admin") for name in ("X-Auth-Subject", "X-Auth-Scope", "X-Auth-Session", "x-auth-subject")),
    *((name, "admin") for name in ("X_Auth_Subject", "X-Auth_Session", "X_Auth-Scope", "x_auth_session")),
]
"""Headers of a client that says who it is. Servers may read an underscore in a name as a hyphen."""
FAST = {"lb_try_duration 3s": "lb_try_duration 100ms"}


def bearer(token: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {token}")


def problem(answer: Answer) -> tuple[int, str]:
    """Return the status and the code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.body
    body = json.loads(answer.body)
    assert body["status"] == answer.status
    assert body["type"] == f"urn:problem-type:shop:{body['code']}"
    return answer.status, body["code"]


def values(received: Received, *names: str) -> dict[str, list[str]]:
    """Return the values that the shop's own service has received under these names, whether with hyphens or underscores."""
    found: dict[str, list[str]] = {}
    for name, value in received["headers"]:
        if value and (name := name.replace("_", "-")) in names:
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture(scope="module")
def own_service() -> Iterator[EchoingService]:
    with running_service() as found:
        yield found


@pytest.fixture(scope="module")
async def upstreams(stack: Stack, own_service: EchoingService) -> AsyncIterator[dict[str, int]]:
    """The ports of the services and of the shop's own service. payments accepts webhooks from Paystack's addresses and ALLOWED only."""
    settings = {"PAYMENTS_WEBHOOK_SOURCES": f"paystack,{ALLOWED}", "TRUSTED_PROXIES": f"{LOOPBACK},{TLS_SERVER}"}
    payments, url = stack.replica("payments", settings)
    await payments.start()
    services = {name: stack.url(name) for name in ("auth", "catalog")} | {"payments": url}
    names = {"auth": "auth:8001", "catalog": "catalog:8002", "payments": "payments:8003"}
    try:
        yield {names[name]: int(url.rsplit(":", 1)[1]) for name, url in services.items()} | {
            "reports:9000": own_service.port
        }
    finally:
        await payments.stop()


@pytest.fixture(scope="module", params=KINDS)
async def gateway(request: pytest.FixtureRequest, upstreams: dict[str, int]) -> AsyncIterator[Gateway]:
    shorter = {"read_header 10s": "read_header 300ms", "client_header_timeout 10s": "client_header_timeout 300ms"}
    async with running_gateway(request.param, upstreams, shorter) as found:
        yield found


@pytest.fixture(scope="module")
def key(stack: Stack) -> RSAPrivateKey:
    """The key with which auth signs."""
    pem = max((stack.folder / "keys").glob("*.pem")).read_bytes()
    found = load_pem_private_key(pem, password=None)
    assert isinstance(found, RSAPrivateKey)
    return found


@pytest.fixture
def token(shop: StackClient) -> str:
    """The access token of a customer."""
    return str(shop.bearer(sid="S" * 22)["Authorization"]).removeprefix("Bearer ")


async def test_forged_tokens_when_sent_to_any_service_are_refused(
    gateway: Gateway, own_service: EchoingService, token: str, key: RSAPrivateKey
) -> None:
    assert (await gateway.send("GET", "/reports", [bearer(forge(token, key))])).status == 200
    own_service.received.clear()
    attacks = well_formed(token, key)
    assert len(attacks) > 60
    for number, attack in enumerate(attacks):
        for path in ("/reports/1", GUARDED[number % len(GUARDED)]):
            answer = await gateway.send("GET", path, [bearer(attack), *CLAIMED])
            assert problem(answer) == (401, "not_authenticated"), (path, attack)
            assert answer.headers.get_all("www-authenticate") == ['Bearer error="invalid_token"']
    assert own_service.received == []


async def test_malformed_tokens_when_sent_to_an_own_service_are_refused(
    gateway: Gateway, own_service: EchoingService
) -> None:
    own_service.received.clear()
    for attack in MALFORMED:
        answer = await gateway.send("GET", "/reports", [bearer(attack), *CLAIMED])
        assert 400 <= answer.status < 500, attack[:30]
    assert own_service.received == []


async def test_requests_when_they_have_no_token_get_the_answer_of_auth(
    gateway: Gateway, own_service: EchoingService, shop: StackClient
) -> None:
    own_service.received.clear()
    direct = await shop.call("GET", f"{shop.env['AUTH_URL']}/auth/check", expect=401)
    for method, target in (("GET", "/reports"), ("POST", "/reports/1?month=2"), ("GET", "/reports/%2e%2e/reports/")):
        answer = await gateway.send(
            method, target, [*CLAIMED, ("X-Request-ID", "r-1")], b"x" if method == "POST" else b""
        )
        assert problem(answer) == (401, "not_authenticated")
        assert json.loads(answer.body) == direct.json() | {"request_id": "r-1"}
        assert answer.headers.get_all("www-authenticate") == [direct.headers["www-authenticate"]] == ["Bearer"]
        assert answer.headers.get_all("x-request-id") == ["r-1"]
    assert own_service.received == []


async def test_own_service_gets_the_caller_of_the_token_and_nothing_that_the_client_claims(
    gateway: Gateway, own_service: EchoingService, shop: StackClient, token: str
) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    account = {"x-auth-subject": [claims["sub"]], "x-auth-scope": [claims["scope"]], "x-auth-session": ["S" * 22]}
    headers = [*CLAIMED, bearer(token), *CLAIMED]
    for method, target, body in (("GET", "/reports", b""), ("POST", "/reports/1?month=2&scope=x", b"month=2")):
        answer = await gateway.send(method, target, headers, body)
        assert answer.status == 200, answer.body
        received = json.loads(answer.body)
        assert (received["method"], received["path"], received["body"]) == (method, target, body.decode())
        assert values(received, *CALLER) == account

    program_token = shop.bearer("reporter", PROGRAM_SCOPES, client_id="reporter", email=None)["Authorization"]
    answer = await gateway.send("GET", "/reports", [("Authorization", program_token), *CLAIMED])
    assert values(json.loads(answer.body), *CALLER) == {
        "x-auth-subject": ["reporter"],
        "x-auth-scope": [" ".join(sorted(PROGRAM_SCOPES))],  # programs have no session
    }


async def test_claimed_callers_when_sent_to_a_service_change_nothing(gateway: Gateway, token: str) -> None:
    answer = await gateway.send("GET", "/payments/disputes", [bearer(token), *CLAIMED])
    assert problem(answer) == (403, "not_allowed")


async def test_guest_when_the_whole_purchase_goes_through_the_gateway_gets_the_order(
    gateway: Gateway, shop: StackClient
) -> None:
    printed = StringIO()
    url = f"http://{LOOPBACK}:{gateway.port}"
    through = Shop(url, url, url, shop.env["ADMIN_EMAIL"], shop.env["ADMIN_PASSWORD"], shop.env["MAIL_CATCHER_URL"])
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        await GuestPurchase(through, Calls(client, Terminal(file=printed, soft_wrap=True))).make()
    assert "event: the order belongs to the account" in printed.getvalue()


async def test_client_address_when_it_is_forged_is_replaced(gateway: Gateway, token: str) -> None:
    forged = [("X-Forwarded-For", "52.31.139.75"), ("X-Real-IP", "52.31.139.75"), ("Forwarded", "for=52.31.139.75")]
    names = ("x-forwarded-for", "x-real-ip", "forwarded")
    answer = await gateway.send("GET", "/reports", [bearer(token), *forged])
    assert values(json.loads(answer.body), *names) == {"x-forwarded-for": [CLIENT]}


@pytest.mark.parametrize("suffix", ["", "/", "?x=1", "%2f", "/x"])
async def test_paths_for_services_only_when_requested_from_outside_are_not_found(
    gateway: Gateway, token: str, suffix: str
) -> None:
    for path in ("/auth/check", "/auth/revocations"):
        spellings = (path, f"/{path}", path.replace("/auth/", "/auth//"), path.replace("c", "%63"), path.upper())
        dotted = (path.replace("/auth/", "/auth/./"), path.replace("/auth/", "/auth/x/../"), f"/catalog/..{path}")
        for spelling in (*spellings, *dotted):
            answer = await gateway.send("GET", f"{spelling}{suffix}", [bearer(token)])
            assert problem(answer) == (404, "not_found"), spelling
    for path in ("/metrics", "/livez", "/readyz", "/_check", "/docs"):
        assert problem(await gateway.send("GET", f"{path}{suffix}", [bearer(token)])) == (404, "not_found")


async def post_webhook(
    gateway: Gateway, shop: StackClient, address: str, *forwarded_for: str, path: str = WEBHOOK
) -> Answer:
    """Send a signed webhook event of a type that payments only stores."""
    body, headers = shop.sign({"event": "gateway.tested", "data": {"id": str(uuid4())}})
    forwarded = [("X-Forwarded-For", each) for each in forwarded_for]
    return await gateway.send("POST", path, [*headers.items(), *forwarded], body, address=address)


async def test_webhooks_when_they_come_from_other_addresses_than_the_allowed_ones_are_refused(
    gateway: Gateway, shop: StackClient
) -> None:
    refused = (403, "webhook_address_not_allowed")
    assert (await post_webhook(gateway, shop, ALLOWED)).status == 200
    assert (await post_webhook(gateway, shop, ALLOWED, CLIENT)).status == 200  # the header of a client changes nothing
    assert problem(await post_webhook(gateway, shop, CLIENT)) == refused
    for forged in (ALLOWED, WEBHOOK_ADDRESSES[0], f"{CLIENT}, {ALLOWED}", LOOPBACK, TLS_SERVER, ""):
        assert problem(await post_webhook(gateway, shop, CLIENT, forged)) == refused
        assert problem(await post_webhook(gateway, shop, CLIENT, forged, ALLOWED)) == refused
    for path in (f"{WEBHOOK}/", f"/{WEBHOOK}", WEBHOOK.replace("k", "%6b"), f"{WEBHOOK}%2F", f"{WEBHOOK}?a=b"):
        assert problem(await post_webhook(gateway, shop, CLIENT, path=path)) == refused


async def test_webhooks_when_they_come_through_a_trusted_server_have_the_address_that_it_has_seen(
    gateway: Gateway, shop: StackClient
) -> None:
    refused = (403, "webhook_address_not_allowed")
    for address in (*WEBHOOK_ADDRESSES, f"{CLIENT}, {ALLOWED}"):
        assert (await post_webhook(gateway, shop, TLS_SERVER, address)).status == 200
    for address in (CLIENT, f"{ALLOWED}, {CLIENT}", f"{WEBHOOK_ADDRESSES[0]}, 192.0.2.1", "x", ""):
        assert problem(await post_webhook(gateway, shop, TLS_SERVER, address)) == refused


async def test_requests_when_they_are_too_large_or_too_slow_are_ended(gateway: Gateway, token: str) -> None:
    answer = await gateway.send("POST", "/reports", [bearer(token)], b"x" * (1024 * 1024 + 1))
    assert problem(answer) == (413, "body_too_large")
    answer = await gateway.send("GET", "/reports", [bearer(token), *((f"X-{n}", "x" * 4000) for n in range(8))])
    assert answer.status == 431
    reader, writer = await asyncio.open_connection(LOOPBACK, gateway.port, local_addr=(CLIENT, 0))
    try:
        writer.write(b"GET /reports HTTP/1.1\r\nHost: x\r\nX-Half: ")
        async with asyncio.timeout(9):  # less than the limit of the file, which this test has shortened
            await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_requests_when_auth_cannot_answer_do_not_reach_the_own_service(
    kind: str, own_service: EchoingService, token: str
) -> None:
    own_service.received.clear()
    with running_service() as auth:
        ports: dict[str, Any] = dict.fromkeys(("auth:8001", "catalog:8002", "payments:8003"), auth.port)
        async with running_gateway(kind, {**ports, "reports:9000": own_service.port}, FAST) as gateway:
            for status in (429, 500, 503):
                auth.status = status
                answer = await gateway.send("GET", "/reports", [bearer(token), *CLAIMED])
                assert answer.status in {status, 503}
                assert (answer.status == 429) == (status == 429)
            auth.status = 200
            answer = await gateway.send("POST", "/reports?month=2", [bearer(token)], b"month=2")
            assert answer.status == 200
            asked = auth.received[-1]
            assert (asked["method"], asked["path"], asked["body"]) == ("GET", "/auth/check", "")
            own_service.received.clear()
            with socket.socket() as closed:
                closed.bind((LOOPBACK, 0))
                ports["auth:8001"] = closed.getsockname()[1]
                async with running_gateway(kind, {**ports, "reports:9000": own_service.port}, FAST) as gateway:
                    answer = await gateway.send("GET", "/reports", [bearer(token), *CLAIMED])
    assert problem(answer) in {(502, "bad_gateway"), (503, "unavailable")}
    assert answer.headers["retry-after"] == "1"
    assert own_service.received == []


@pytest.mark.parametrize("kind", KINDS)
async def test_status_token_when_it_is_in_a_path_is_in_no_log_of_the_gateway(
    kind: str, upstreams: dict[str, int], shop: StackClient
) -> None:
    order = await shop.order(shop.bearer(), await shop.product())
    path = f"/catalog/orders/status/{order['status_token']}"

    async def requested(ports: dict[str, int], status: int) -> None:
        async with running_gateway(kind, ports, FAST) as gateway:
            for target in (path, f"{path}?x=1"):
                answer = await gateway.send("GET", target)
                assert answer.status == (422 if "?" in target and status == 200 else status), answer.body
                assert answer.headers["cache-control"] == "no-store" or status != 200
            await gateway.send("GET", "/auth/last-request")

            async def logged() -> str | None:
                text = await asyncio.to_thread(gateway.log.read_text)
                count = text.count("/catalog/orders/status/REDACTED")
                return text if count >= 2 and "/auth/last-request" in text else None

            assert order["status_token"] not in await until(logged)

    await requested(upstreams, 200)
    with socket.socket() as closed:
        closed.bind((LOOPBACK, 0))
        await requested({**upstreams, "catalog:8002": closed.getsockname()[1]}, 502)
