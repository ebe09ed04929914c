"""The part of SMTP that a mail server for development needs (RFC 5321): EHLO, MAIL, RCPT, DATA, RSET, NOOP, QUIT, and AUTH and STARTTLS."""

import asyncio
import base64
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

MAX_LINE_BYTES = 4096
MAX_MESSAGE_BYTES = 10 * 1024 * 1024
IDLE_SECONDS = 300.0
MAX_CONNECTIONS = 100
ADDRESS = re.compile(r"<([^<>]*)>")


@dataclass
class Envelope:
    """A mail as the client has sent it."""

    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    content: bytes = b""
    encrypted: bool = False
    user: str | None = None
    """The user who has authenticated."""


Deliver = Callable[[Envelope], Awaitable[None]]


class SmtpServer:
    """Accepts mail and calls `deliver` before it confirms it. With `tls`, it offers STARTTLS."""

    def __init__(self, deliver: Deliver, tls: ssl.SSLContext | None = None) -> None:
        self._deliver = deliver
        self._tls = tls
        self._connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. For asyncio.start_server."""
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                await self.session(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client has gone, or does not speak SMTP
        finally:
            self._connections -= 1
            writer.close()

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet the client and answer its commands until it quits."""
        mail = Envelope(encrypted=writer.get_extra_info("ssl_object") is not None)
        await self._answer(writer, "220 mail catcher")
        while True:
            line = await self._read_line(reader)
            if not line:
                return
            verb, _, argument = line.decode("utf-8", "replace").strip().partition(" ")
            verb = verb.upper()
            answer = await self.answer(verb, argument, mail)
            if answer is None:
                return
            if verb == "DATA" and answer.startswith("354"):
                await self._answer(writer, answer)
                mail.content = await self._read_content(reader)
                answer = await self.answer("END OF DATA", "", mail) or ""
                if answer.startswith("250"):
                    await self._deliver(mail)
                mail = Envelope(encrypted=mail.encrypted, user=mail.user)
            elif verb == "STARTTLS" and answer.startswith("220") and self._tls is not None:
                await self._answer(writer, answer)
                await writer.start_tls(self._tls)
                mail = Envelope(encrypted=True)
                continue
            elif verb == "AUTH" and argument.upper() == "LOGIN":
                answer = await self._log_in(reader, writer, mail)
            await self._answer(writer, answer)
            if verb == "QUIT":
                return

    async def answer(self, verb: str, argument: str, mail: Envelope) -> str | None:
        """Return the reply to a command, and note it in `mail`. None closes the connection. Tests override it to answer with errors."""
        match verb:
            case "EHLO":
                extensions = ["SIZE", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN"]
                if self._tls is not None and not mail.encrypted:
                    extensions.append("STARTTLS")
                return "\r\n".join(
                    [*(f"250-{text}" for text in ("mail catcher", *extensions[:-1])), f"250 {extensions[-1]}"]
                )
            case "MAIL" | "RCPT":
                address = ADDRESS.search(argument)
                if address is None:
                    return "501 no address"
                if verb == "MAIL":
                    mail.sender, mail.recipients = address[1], []
                else:
                    mail.recipients.append(address[1])
                return "250 ok"
            case "AUTH" if argument.upper().startswith("PLAIN "):
                mail.user = base64.b64decode(argument[6:]).split(b"\0")[1].decode()
                return "235 ok"
            case "DATA":
                return "354 end with a dot" if mail.recipients else "503 no recipient"
            case "RSET":
                mail.sender, mail.recipients = "", []
                return "250 ok"
            case "HELO" | "NOOP" | "END OF DATA" | "AUTH":
                return "250 ok"
            case "STARTTLS" if self._tls is not None and not mail.encrypted:
                return "220 ready"
            case "QUIT":
                return "221 bye"
        return "502 not implemented"

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mail: Envelope) -> str:
        await self._answer(writer, "334 VXNlcm5hbWU6")
        mail.user = base64.b64decode(await self._read_line(reader)).decode()
        await self._answer(writer, "334 UGFzc3dvcmQ6")
        await self._read_line(reader)
        return "235 ok"

    async def _read_content(self, reader: asyncio.StreamReader) -> bytes:
        """Return the lines up to the single dot, without the dots that SMTP adds (RFC 5321 section 4.5.2)."""
        lines: list[bytes] = []
        size = 0
        while (line := await self._read_line(reader)) != b".\r\n":
            if not line:
                raise ConnectionError
            size += len(line)
            if size > MAX_MESSAGE_BYTES:
                raise ValueError("the message is too long")
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    async def _read_line(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(IDLE_SECONDS):
            line = await reader.readline()
        if len(line) > MAX_LINE_BYTES:
            raise ValueError("the line is too long")
        return line

    async def _answer(self, writer: asyncio.StreamWriter, answer: str) -> None:
        writer.write(f"{answer}\r\n".encode())
        async with asyncio.timeout(IDLE_SECONDS):
            await writer.drain()
