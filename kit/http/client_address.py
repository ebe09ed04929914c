"""The address of the client of a request, behind proxies that are trusted."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog
from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

RESOLVE_SECONDS = 30.0
"""Host names are resolved again after this time: a container that is started again may have another address."""

RETRY_SECONDS = 1.0
"""A name that could not be resolved is resolved again after this time."""

RESOLVE_TIMEOUT_SECONDS = 1.0
"""Only the requests that arrive during the first lookup wait for it, and at most for this time."""

log = structlog.get_logger("http")


class TrustedProxies:
    """Proxies whose X-Forwarded-For is believed: addresses, networks or host names. From all other peers, the header changes nothing."""

    def __init__(self, proxies: Sequence[str]) -> None:
        self._networks: list[Network] = []
        self._names: list[str] = []
        self._resolved: dict[str, list[Network]] = {}
        self._resolve_at = -1e9
        self._resolving: asyncio.Task[None] | None = None
        self._looked_up = False
        for proxy in proxies:
            try:
                self._networks.append(ip_network(proxy))
            except ValueError:
                self._names.append(proxy)
        self._limit_address_of = lru_cache(maxsize=4096)(self._find_limit_address)

    async def limit_address(self, scope: Scope) -> str | None:
        """Return the address under which limits count the client: its IPv4 address or IPv6 /64 network. None if it is not known.

        Providers give each IPv6 customer at least a /64, so one client has countless addresses, but few networks.
        """
        if self._names:
            await self._resolve_names()
        if scope.get("client") is None:
            return None
        return self._limit_address_of(scope["client"][0], _forwarded_for(scope))

    async def client_address(self, scope: Scope) -> str | None:
        """Return the client's address, or None if it is not known."""
        if self._names:
            await self._resolve_names()
        if scope.get("client") is None:
            return None
        client = self._find_client(scope["client"][0], _forwarded_for(scope))
        return None if client is None else str(client)

    async def _resolve_names(self) -> None:
        """Start a lookup if it is time. Only the first lookup is waited for: until its result is known, a proxy would count as the client.
        During later lookups the last results are used, so that a name server that does not answer delays no request.
        """
        if self._resolving is None and asyncio.get_running_loop().time() >= self._resolve_at:
            self._resolving = asyncio.create_task(self._look_up_all())
        if self._resolving is not None and not self._looked_up:
            await asyncio.shield(self._resolving)

    async def _look_up_all(self) -> None:
        try:
            resolved = await asyncio.gather(*(self._look_up(name) for name in self._names))
            pause = RESOLVE_SECONDS if all(resolved) else RETRY_SECONDS
            self._resolve_at = asyncio.get_running_loop().time() + pause
        finally:
            self._resolving, self._looked_up = None, True

    async def _look_up(self, name: str) -> bool:
        """Look up a name. Return False if that failed; then the last result stays in use."""
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(name, None)
        except (OSError, ValueError) as error:
            log.warning("trusted proxy not resolved", name=name, error=type(error).__name__)
            return False
        networks = [ip_network(str(address[0]).partition("%")[0]) for *_, address in found]
        if networks != self._resolved.get(name):
            self._resolved[name] = networks
            self._limit_address_of.cache_clear()
        return True

    def _find_limit_address(self, peer: str, forwarded_for: bytes) -> str | None:
        client = self._find_client(peer, forwarded_for)
        if client is None:
            return None
        return str(client) if client.version == 4 else str(ip_network((client, 64), strict=False))

    def _find_client(self, peer: str, forwarded_for: bytes) -> Address | None:
        client = _parse(peer)
        hops = [hop for hop in forwarded_for.decode("latin-1").split(",") if hop.strip()]
        # Each proxy adds the address of its own peer at the end. What comes before the client's own address may be invented by the client.
        while client is not None and self._is_trusted(client):
            client = _parse(hops.pop()) if hops else None
        return client

    def _is_trusted(self, address: Address) -> bool:
        named = (network for networks in self._resolved.values() for network in networks)
        return any(address in network for network in (*self._networks, *named))


def _forwarded_for(scope: Scope) -> bytes:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(values)[-1000:]


def _parse(text: str) -> Address | None:
    """Return an address, or None. IPv4 addresses that are mapped to IPv6 become IPv4 addresses."""
    try:
        address = ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
