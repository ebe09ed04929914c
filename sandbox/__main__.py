"""`python -m sandbox` serves the sandbox until SIGTERM or Ctrl-C."""

import logging
import signal
import sys
from types import FrameType

import uvicorn
from pydantic import ValidationError

from sandbox.app import create_app
from sandbox.settings import Settings

log = logging.getLogger("sandbox")

CONNECTIONS = 4_000
"""More at once are answered 503."""


def _wrong(where: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not where:
        return message
    name = str(where[0])
    return f"{name if name.isupper() else f'SANDBOX_{name.upper()}'}: {message}"


def _stop(_: int, __: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    # uvicorn shuts down on SIGTERM and then raises it again, for whoever held it before: here that is a clean exit.
    signal.signal(signal.SIGTERM, _stop)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit("sandbox: " + "; ".join(_wrong(each["loc"], each["msg"]) for each in error.errors()))
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    log.info(
        "%s mode at %s, webhooks to %s, state in %s",
        settings.domain,
        settings.origin,
        settings.webhook_url or "nobody",
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
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
