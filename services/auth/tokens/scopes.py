"""The scope of an access token (RFC 6749 section 3.3)."""

from collections.abc import Set

from services.auth.errors import InvalidScope


def select_scope(requested: str | None, grantable: Set[str]) -> str:
    """Return the scope of a token, space-separated: the requested one, or all of `grantable` if none is requested. Raises InvalidScope."""
    wanted = set((requested or "").split())
    if not wanted <= grantable:
        raise InvalidScope
    return " ".join(sorted(wanted or grantable))
