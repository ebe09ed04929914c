"""The client network: the /48 network of an IPv6 client.

Providers give a site up to a /48 (RFC 6177), which has 65,536 /64 networks, each of which counts as one address. A client that has a whole
/48 must not count as 65,536 clients.
"""

from functools import lru_cache
from ipaddress import IPv6Network

NETWORK_PREFIX = 48


@lru_cache(maxsize=4096)
def client_network(address: str) -> str:
    """Return the /48 network of an IPv6 /64 network, and any other address as it is. `address`: a limit address."""
    if ":" not in address:
        return address
    return str(IPv6Network(address).supernet(new_prefix=NETWORK_PREFIX))
