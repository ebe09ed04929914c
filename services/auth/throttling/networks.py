"""The network of one IPv6 customer: a /48.

Providers give a site up to a /48 (RFC 6177), which has 65,536 networks of the size that the limits of an address count. A client that has
one must not count as 65,536 clients.
"""

from functools import lru_cache
from ipaddress import IPv6Network

NETWORK_PREFIX = 48


@lru_cache(maxsize=4096)
def client_network(address: str) -> str:
    """Return the /48 network of an IPv6 /64 network, and any other address as it is. `address`: as RequestSource has it."""
    if ":" not in address:
        return address
    return str(IPv6Network(address).supernet(new_prefix=NETWORK_PREFIX))
