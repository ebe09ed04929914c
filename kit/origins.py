"""Origins of URLs (RFC 6454), in one spelling, so that they can be compared."""

import re
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
ANY = "*"
HOST = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")
"""A host name in ASCII, as browsers send it, or an IPv6 address. A wildcard is neither."""


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of an http or https URL: in lower case, without the default port. None if it is no such URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, DEFAULT_PORTS[parts.scheme]} else "")


def normalize_origins(origins: list[str]) -> list[str]:
    """Return the origins in the spelling of `origin_of`; `*` stays. Raises ValueError for anything else, such as a URL with a path."""
    return [ANY if origin == ANY else _normalize(origin) for origin in origins]


def _normalize(origin: str) -> str:
    found = origin_of(origin)
    host = "" if found is None else re.sub(r":\d+$", "", found.partition("://")[2])
    if found is None or not HOST.fullmatch(host):
        raise ValueError(f"{origin[:200]} is not an origin such as https://shop.example")
    parts = urlsplit(origin)
    if parts.path not in {"", "/"} or parts.username is not None or "?" in origin or "#" in origin:
        raise ValueError(f"{origin[:200]} must end after the host and the port, as https://shop.example does")
    return found
