"""Database URLs as cloud providers print them: PostgreSQL's connection URIs, for SQLAlchemy and for asyncpg.

Source: https://www.postgresql.org/docs/current/libpq-connect.html, sections "Connection URIs" and "Parameter Key Words".
"""

from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SCHEMES = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
ADDRESS = frozenset({"host", "port"})
"""Parameters that name the server, such as `host=/var/run/postgresql` for a socket."""


def check_database_url(url: SecretStr) -> SecretStr:
    """Return the URL. Raises ValueError, which names the wrong part but not its value, if it has a part that we do not support."""
    async_url(url)
    return url


def async_url(url: SecretStr) -> URL:
    """Return the URL for SQLAlchemy with the driver asyncpg. Raises ValueError, see `check_database_url`."""
    parsed = _parse(url)
    mode = {"ssl": parsed.query["sslmode"]} if "sslmode" in parsed.query else {}
    return parsed.set(drivername="postgresql+asyncpg", query={**_address(parsed), **mode})


def driver_url(url: SecretStr) -> str:
    """Return the URL for asyncpg.connect. Raises ValueError, see `check_database_url`."""
    parsed = _parse(url)
    mode = {"sslmode": parsed.query["sslmode"]} if "sslmode" in parsed.query else {}
    plain = parsed.set(drivername="postgresql", query={**_address(parsed), **mode})
    return plain.render_as_string(hide_password=False)


def role_of(url: SecretStr) -> str | None:
    """Return the user name in the URL, or None if it has none. Raises ValueError, see `check_database_url`."""
    return _parse(url).username


def _address(url: URL) -> dict[str, str | tuple[str, ...]]:
    return {name: value for name, value in url.query.items() if name in ADDRESS}


def _parse(url: SecretStr) -> URL:
    """Parse the URL and check its parameters.

    `application_name` is dropped, because each service sets its own. asyncpg has no channel binding, so only a URL that does not require
    it is accepted.
    """
    try:
        parsed = make_url(url.get_secret_value())
    except (ArgumentError, ValueError):
        raise ValueError("is not a URL such as postgresql://user:password@host:5432/database") from None
    if parsed.drivername not in SCHEMES:
        raise ValueError("must begin with postgresql://")
    for name, value in parsed.query.items():
        if not isinstance(value, str):
            raise ValueError(f"has the parameter {name[:50]!r} more than once")  # noqa: TRY004 -- pydantic expects ValueError
        if name == "sslmode":
            if value not in SSL_MODES:
                raise ValueError("has an unknown value of the parameter sslmode")
        elif name == "channel_binding":
            if value not in {"disable", "prefer"}:
                raise ValueError(
                    "has the parameter channel_binding, which must be prefer or disable: asyncpg has no channel binding"
                )
        elif name not in ADDRESS | {"application_name"}:
            raise ValueError(f"has the parameter {name[:50]!r}, which is not supported: remove it")
    return parsed
