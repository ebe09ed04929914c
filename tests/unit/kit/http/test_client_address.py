"""The address of a client behind proxies."""

import asyncio
from typing import Any

import pytest

from kit.http.client_address import TrustedProxies

GATEWAY = "10.0.0.5"


def request(peer: str | None, *forwarded_for: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded_for]
    return {"type": "http", "client": peer and (peer, 40000), "headers": [(b"host", b"x"), *headers]}


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.6", ["198.51.100.1"], "10.0.0.6"),
        (GATEWAY, ["198.51.100.1"], "198.51.100.1"),
        (GATEWAY, ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        (GATEWAY, ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        (GATEWAY, ["198.51.100.1, 192.168.7.9"], "198.51.100.1"),
        (GATEWAY, ["not an address, 198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.5", ["::ffff:198.51.100.1"], "198.51.100.1"),
        (GATEWAY, ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", [], "2001:db8:1:2::/64"),
        (GATEWAY, [], None),
        (GATEWAY, [""], None),
        (GATEWAY, ["nonsense"], None),
        (GATEWAY, ["198.51.100.1, nonsense"], None),
        (GATEWAY, [GATEWAY], None),
        ("testclient", ["198.51.100.1"], None),
        (None, ["198.51.100.1"], None),
    ],
)
async def test_client_is_the_first_address_from_the_right_that_is_not_trusted(
    peer: str | None, forwarded_for: list[str], client: str | None
) -> None:
    proxies = TrustedProxies([GATEWAY, "192.168.7.0/24"])
    assert await proxies.client_network(request(peer, *forwarded_for)) == client


async def test_long_header_is_read_from_its_end() -> None:
    proxies = TrustedProxies([GATEWAY])
    assert await proxies.client_network(request(GATEWAY, "1.1.1.1," * 10_000 + "198.51.100.1")) == "198.51.100.1"


async def test_host_name_of_a_proxy_is_resolved() -> None:
    proxies = TrustedProxies(["localhost"])
    assert await proxies.client_network(request("127.0.0.1", "198.51.100.1")) == "198.51.100.1"
    assert await proxies.client_network(request("203.0.113.7", "198.51.100.1")) == "203.0.113.7"


async def test_host_name_that_cannot_be_resolved_is_not_trusted() -> None:
    proxies = TrustedProxies(["no-such-host.invalid"])
    assert await proxies.client_network(request("203.0.113.7", "198.51.100.1")) == "203.0.113.7"


async def test_name_of_a_proxy_with_an_ipv6_zone_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", ("fe80::5%eth0", 0, 0, 2)), (0, 0, 0, "", (GATEWAY, 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    proxies = TrustedProxies(["gateway"])
    assert await proxies.client_network(request(GATEWAY, "198.51.100.1")) == "198.51.100.1"
