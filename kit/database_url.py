"""Database URLs as cloud providers print them: PostgreSQL's connection URIs, for SQLAlchemy and for asyncpg.

Source: https://www.postgresql.org/docs/current/libpq-connect.html, sections "Connection URIs" and "Parameter Key Words".
"""

import ssl
from typing import TypedDict

from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SCHEMES = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
VERIFYING_MODES = frozenset({"require", "verify-ca", "verify-full"})
"""With one of these modes and `sslrootcert`, the certificate of the server is verified; `require` then means `verify-ca`, as in libpq."""

SYSTEM_CERTIFICATES = "system"
"""The value of `sslrootcert` that means the certificates that the operating system trusts."""

ADDRESS = frozenset({"host", "port"})
"""Parameters that name the server, such as `host=/var/run/postgresql` for a socket."""


class TlsArguments(TypedDict, total=False):
    """The argument `ssl` of asyncpg.connect, if the URL names a file with root certificates."""

    ssl: ssl.SSLContext


def check_database_url(url: SecretStr) -> SecretStr:
    """Return the URL. Raises ValueError, which names the wrong part but not its value, if it has a part that we do not support.

    Also reads the file in `sslrootcert`. If that fails, the error names the file.
    """
    tls_arguments(url)
    return url


def async_url(url: SecretStr) -> URL:
    """Return the URL for SQLAlchemy with the driver asyncpg; pass `tls_arguments` too. Raises ValueError, see `check_database_url`."""
    parsed = _parse(url)
    return parsed.set(drivername="postgresql+asyncpg", query={**_address(parsed), **_mode(parsed, "ssl")})


def driver_url(url: SecretStr) -> str:
    """Return the URL for asyncpg.connect; pass `tls_arguments` too. Raises ValueError, see `check_database_url`."""
    parsed = _parse(url)
    mode = _mode(parsed, "sslmode")
    plain = parsed.set(drivername="postgresql", query={**_address(parsed), **mode})
    return plain.render_as_string(hide_password=False)


def tls_arguments(url: SecretStr) -> TlsArguments:
    """Return the arguments of asyncpg.connect that verify the server with the file in `sslrootcert`. Empty if the URL has none.

    Raises ValueError, see `check_database_url`.
    """
    parsed = _parse(url)
    file = parsed.query.get("sslrootcert")
    if not isinstance(file, str):
        return {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = parsed.query["sslmode"] == "verify-full"
    try:
        if file == SYSTEM_CERTIFICATES:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=file)
    except OSError as error:
        reason = "it contains no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"has the parameter sslrootcert, but its file {file[:200]} cannot be read: {reason}") from None
    return {"ssl": context}


def role_of(url: SecretStr) -> str | None:
    """Return the user name in the URL, or None if it has none. Raises ValueError, see `check_database_url`."""
    return _parse(url).username


def _address(url: URL) -> dict[str, str | tuple[str, ...]]:
    return {name: value for name, value in url.query.items() if name in ADDRESS}


def _mode(url: URL, name: str) -> dict[str, str | tuple[str, ...]]:
    """Return `sslmode` as the parameter `name`.

    Empty if the URL has no `sslmode`, or has `sslrootcert`: then the context of `tls_arguments` does what `sslmode` demands.
    """
    return {name: url.query["sslmode"]} if "sslmode" in url.query and "sslrootcert" not in url.query else {}


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
        elif name == "sslrootcert":
            _check_root_certificate(value, parsed.query.get("sslmode"))
        elif name not in ADDRESS | {"application_name"}:
            raise ValueError(f"has the parameter {name[:50]!r}, which is not supported: remove it")
    return parsed


def _check_root_certificate(file: str, mode: object) -> None:
    """Raise ValueError if `sslrootcert` would not be used: without a verifying `sslmode`, libpq ignores it."""
    if mode not in VERIFYING_MODES:
        raise ValueError("has the parameter sslrootcert, which needs sslmode=verify-full, verify-ca or require")
    if file == SYSTEM_CERTIFICATES and mode != "verify-full":
        raise ValueError("has the parameter sslrootcert=system, which needs sslmode=verify-full")
