"""A mail server that can fail: the mail catcher with other replies to single commands."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dev.mail_catcher.inbox import CaughtMail, Inbox
from dev.mail_catcher.smtp_server import Envelope, SmtpServer


class MailServer(SmtpServer):
    """Remembers the mails that it has accepted, and how they came."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.inbox = Inbox()
        self.envelopes: list[Envelope] = []
        self.replies: dict[str, str | None] = {}
        """Instead of the usual reply to a command, such as `451 later`; None closes the connection. `END OF DATA` is the end of a mail."""
        self.hangs: set[str] = set()
        """Commands that get no reply."""
        self.sessions = 0
        super().__init__(self._accept, tls)

    @property
    def mails(self) -> list[CaughtMail]:
        """The accepted mails, oldest first."""
        return self.inbox.mails()[::-1]

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        await super().session(reader, writer)

    async def answer(self, verb: str, argument: str, mail: Envelope) -> str | None:
        if verb in self.hangs:
            await asyncio.Event().wait()
        if verb in self.replies:
            return self.replies[verb]
        return await super().answer(verb, argument, mail)

    async def _accept(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)
        await self.inbox.deliver(envelope)

    @asynccontextmanager
    async def listening(self, port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator["MailServer"]:
        """Listen on this port of the loopback interface; with `tls`, connections are encrypted from the first byte."""
        tasks: set[asyncio.Task[None]] = set()

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self.serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
        try:
            yield self
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
