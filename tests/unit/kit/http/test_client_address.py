"""The address of a client behind proxies."""

import asyncio
from typing import Any

import pytest

from kit.http import client_address
from kit.http.client_address import TrustedProxies
from tests.fixtures.loops import until

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
    assert await proxies.limit_address(request(peer, *forwarded_for)) == client


async def test_long_header_is_read_from_its_end() -> None:
    proxies = TrustedProxies([GATEWAY])
    assert await proxies.limit_address(request(GATEWAY, "1.1.1.1," * 10_000 + "198.51.100.1")) == "198.51.100.1"


async def test_host_name_of_a_proxy_is_resolved() -> None:
    proxies = TrustedProxies(["localhost"])
    assert await proxies.limit_address(request("127.0.0.1", "198.51.100.1")) == "198.51.100.1"
    assert await proxies.limit_address(request("203.0.113.7", "198.51.100.1")) == "203.0.113.7"


async def test_host_name_that_cannot_be_resolved_is_not_trusted() -> None:
    proxies = TrustedProxies(["no-such-host.invalid"])
    assert await proxies.limit_address(request("203.0.113.7", "198.51.100.1")) == "203.0.113.7"


async def test_name_of_a_proxy_with_an_ipv6_zone_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", ("fe80::5%eth0", 0, 0, 2)), (0, 0, 0, "", (GATEWAY, 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    proxies = TrustedProxies(["gateway"])
    assert await proxies.limit_address(request(GATEWAY, "198.51.100.1")) == "198.51.100.1"


class NameServer:
    """Answers lookups with an address when it is allowed to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address: str | None = GATEWAY
        self.lookups = 0
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.look_up)

    async def look_up(self, *_: object) -> list[tuple[object, ...]]:
        self.lookups += 1
        self.asked.set()
        await self.may_answer.wait()
        if self.address is None:
            raise OSError
        return [(0, 0, 0, "", (self.address, 0))]


async def until_client_is(proxies: TrustedProxies, client: str, sent: dict[str, Any]) -> None:
    """Wait until this is the client of the request."""

    async def found() -> bool:
        return await proxies.limit_address(sent) == client

    await until(found)


async def test_concurrent_requests_wait_for_the_first_lookup_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = NameServer(monkeypatch)
    names.may_answer.clear()
    proxies = TrustedProxies(["gateway"])
    waiting = [asyncio.create_task(proxies.limit_address(request(GATEWAY, f"198.51.100.{n}"))) for n in range(20)]
    await names.asked.wait()
    names.may_answer.set()
    assert await asyncio.gather(*waiting) == [f"198.51.100.{n}" for n in range(20)]
    assert names.lookups == 1


async def test_lookup_goes_on_when_the_request_that_started_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    names = NameServer(monkeypatch)
    names.may_answer.clear()
    proxies = TrustedProxies(["gateway"])
    first, second = (asyncio.create_task(proxies.client_address(request(GATEWAY, "198.51.100.1"))) for _ in range(2))
    await names.asked.wait()
    first.cancel()
    names.may_answer.set()
    assert await second == "198.51.100.1"


async def test_last_result_is_used_while_a_name_is_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_address, "RESOLVE_SECONDS", 0.0)
    names = NameServer(monkeypatch)
    proxies = TrustedProxies(["gateway"])
    assert await proxies.limit_address(request(GATEWAY, "198.51.100.1")) == "198.51.100.1"
    names.may_answer.clear()
    names.asked.clear()
    for number in range(20):
        # A coroutine that waits for anything is not finished after its first step.
        with pytest.raises(StopIteration) as result:
            proxies.limit_address(request(GATEWAY, f"198.51.100.{number}")).send(None)
        assert result.value.value == f"198.51.100.{number}"
    await names.asked.wait()
    assert names.lookups == 2
    names.address = "10.0.0.6"
    names.may_answer.set()
    await until_client_is(proxies, "198.51.100.1", request("10.0.0.6", "198.51.100.1"))
    assert await proxies.limit_address(request(GATEWAY, "198.51.100.1")) == GATEWAY, "the old address is not trusted"


async def test_name_is_looked_up_again_soon_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_address, "RETRY_SECONDS", 0.0)
    names = NameServer(monkeypatch)
    names.address = None
    proxies = TrustedProxies(["gateway"])
    assert await proxies.limit_address(request(GATEWAY, "198.51.100.1")) == GATEWAY
    names.address = GATEWAY
    await until_client_is(proxies, "198.51.100.1", request(GATEWAY, "198.51.100.1"))


async def test_name_server_that_does_not_answer_delays_only_the_first_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_address, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(client_address, "RESOLVE_TIMEOUT_SECONDS", 0.01)
    names = NameServer(monkeypatch)
    names.may_answer.clear()
    proxies = TrustedProxies(["gateway"])
    assert await proxies.limit_address(request(GATEWAY, "198.51.100.1")) == GATEWAY
    for _ in range(20):
        with pytest.raises(StopIteration):
            proxies.limit_address(request(GATEWAY, "198.51.100.1")).send(None)
