"""The server of the sandbox."""

import logging
import signal
import sys
from types import FrameType

import uvicorn
from pydantic import ValidationError

from sandbox.app import create_app
from sandbox.settings import Settings

log = logging.getLogger("sandbox")

MAX_CONNECTIONS = 4_000
"""The server answers further connections with 503."""


def _setting_error(location: tuple[int | str, ...], message: str) -> str:
    """Return an error of pydantic as `SANDBOX_PORT: message`, with the name of the environment variable."""
    message = message.removeprefix("Value error, ")
    if not location:
        return message
    name = str(location[0])
    return f"{name if name.isupper() else f'SANDBOX_{name.upper()}'}: {message}"


def _exit(_: int, __: FrameType | None) -> None:
    sys.exit(0)


def serve() -> None:
    """Serve the sandbox until SIGTERM or Ctrl-C, or exit with a sentence if a setting is wrong."""
    # uvicorn shuts down on SIGTERM, then restores this handler and raises SIGTERM again. The handler makes the exit code 0.
    signal.signal(signal.SIGTERM, _exit)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit("sandbox: " + "; ".join(_setting_error(each["loc"], each["msg"]) for each in error.errors()))
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
    log.info(
        "sandbox started: mode=%s url=%s webhook_url=%s database=%s",
        settings.domain,
        settings.origin,
        settings.webhook_url or "none",
        settings.database,
    )
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
