"""The scope of an access token (RFC 6749 section 3.3)."""

from collections.abc import Set

from services.auth.errors import InvalidScope


def select_scope(requested: str | None, grantable: Set[str]) -> str:
    """Return the scopes of a token, space-separated: the requested ones, or all of `grantable` if there are none. Raises InvalidScope."""
    requested_scopes = set((requested or "").split())
    if not requested_scopes <= grantable:
        raise InvalidScope
    return " ".join(sorted(requested_scopes or grantable))
