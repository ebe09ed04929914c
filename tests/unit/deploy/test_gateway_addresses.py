"""The address of a client behind the gateway, and behind a server in front of it (TRUSTED_PROXIES)."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.http.client_address import TrustedProxies
from kit.settings import Settings

PROJECT = Path(__file__).parents[3]
CADDYFILE = (PROJECT / "deploy" / "gateway" / "Caddyfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
GATEWAY, TLS_SERVER, CLIENT = "172.20.0.9", "10.9.0.5", "198.51.100.1"


def trusted_by_services(operators_proxies: str) -> list[str]:
    """Return the trusted proxies of a service in compose, with TRUSTED_PROXIES in .env."""
    value = COMPOSE["x-common"]["TRUSTED_PROXIES"].replace("${TRUSTED_PROXIES:-}", operators_proxies)
    return Settings(token_issuer="http://auth.test", trusted_proxies=value).trusted_proxies


async def find_gateway(name: str, _: object) -> list[tuple[object, ...]]:
    """Stand in for the name server of the Docker network."""
    assert name == "gateway"
    return [(0, 0, 0, "", (GATEWAY, 0))]


@pytest.mark.parametrize(
    ("operators_proxies", "forwarded_for", "client"),
    [
        ("", CLIENT, CLIENT),
        ("", f"{CLIENT}, {TLS_SERVER}", TLS_SERVER),  # all clients have one address
        (TLS_SERVER, f"{CLIENT}, {TLS_SERVER}", CLIENT),
        (f"192.0.2.1,{TLS_SERVER}", f"{CLIENT}, {TLS_SERVER}", CLIENT),
        ("10.9.0.0/24", f"{CLIENT}, {TLS_SERVER}", CLIENT),
        (TLS_SERVER, f"1.1.1.1, {CLIENT}, {TLS_SERVER}", CLIENT),  # the client has sent 1.1.1.1
        (TLS_SERVER, "203.0.113.7", "203.0.113.7"),  # has bypassed the TLS server
    ],
)
async def test_services_find_the_client_behind_the_gateway_and_a_server_in_front_of_it(
    monkeypatch: pytest.MonkeyPatch, operators_proxies: str, forwarded_for: str, client: str
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", find_gateway)
    proxies = TrustedProxies(trusted_by_services(operators_proxies))
    headers = [(b"x-forwarded-for", forwarded_for.encode())]
    assert await proxies.limit_address({"type": "http", "client": (GATEWAY, 40000), "headers": headers}) == client


def test_gateway_believes_the_same_servers_as_the_services() -> None:
    assert COMPOSE["services"]["gateway"]["environment"]["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-}"
    upstream = re.search(r"^\(upstream\) \{\n(.*?)^\}", CADDYFILE, re.MULTILINE | re.DOTALL)
    assert upstream
    assert re.search(r"^\ttrusted_proxies \{\$TRUSTED_PROXIES\}$", upstream[1], re.MULTILINE)
    blocks = re.findall(r"^\s*reverse_proxy [^\n]*\{\n(.*?)\}", CADDYFILE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    assert [block.strip() for block in blocks] == ["import upstream"] * 4
    # A header that is deleted before the proxy cannot be passed on.
    assert "@not_a_proxy not remote_ip {$TRUSTED_PROXIES}\n" in CADDYFILE
    assert re.findall(r"request_header (.*)-X-Forwarded-", CADDYFILE) == ["@not_a_proxy "]
