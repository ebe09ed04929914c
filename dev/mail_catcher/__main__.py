"""`python -m dev.mail_catcher` runs the mail catcher until SIGTERM: SMTP on MAIL_CATCHER_SMTP_PORT, its page on MAIL_CATCHER_PORT."""

import asyncio
import os
import signal

from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.pages import Pages
from dev.mail_catcher.smtp_server import SmtpServer


async def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    host = os.environ.get("MAIL_CATCHER_HOST", "127.0.0.1")
    inbox = Inbox()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    smtp = await asyncio.start_server(
        SmtpServer(inbox.deliver).serve, host, int(os.environ.get("MAIL_CATCHER_SMTP_PORT", "1025"))
    )
    pages = await asyncio.start_server(Pages(inbox).serve, host, int(os.environ.get("MAIL_CATCHER_PORT", "8025")))
    await stop.wait()
    for server in (smtp, pages):
        server.close()


if __name__ == "__main__":
    asyncio.run(main())
