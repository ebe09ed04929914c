"""The inbox page, and the same mails as JSON for scripts: GET /mails?to=address and GET /mails/{id}."""

import asyncio
import json
from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from dev.mail_catcher.inbox import CaughtMail, Inbox

HEADER_SECONDS = 10.0
JSON, HTML = "application/json", "text/html; charset=utf-8"
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:860px;margin:2rem auto;padding:0 1rem;color:#18181b;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;table-layout:fixed;width:100%}td,th{text-align:left;padding:.5rem;border-bottom:1px solid #e4e4e7;"
    "vertical-align:top}th:last-child{width:14.5rem}h1,h2{line-height:1.25}"
    "pre{white-space:pre-wrap;background:#f4f4f5;padding:1rem;border-radius:6px}"
    "iframe{width:100%;height:480px;box-sizing:border-box;border:1px solid #e4e4e7;border-radius:6px}a{color:#1d4ed8}.quiet{color:#52525b}"
    "@media(max-width:600px){tr,td{display:block}th{display:none}td{border:0;padding:0}tr{padding:.5rem 0;border-bottom:1px solid #e4e4e7}}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""A mail cannot load, run or submit anything, nor show this inbox in a frame of its own."""

SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
"""Links of a mail open in a new tab, as in a mail program. Scripts and forms stay forbidden."""


class Pages:
    """A small HTTP server: one GET request for each connection."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request. For asyncio.start_server."""
        try:
            async with asyncio.timeout(HEADER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, *_ = head.decode("latin-1").split(" ", 2)
                status, media_type, body = self.answer(method, target)
                content = body.encode()
                writer.write(
                    f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {media_type}\r\nContent-Length: {len(content)}\r\n"
                    f"Content-Security-Policy: {POLICY}\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
                    "Connection: close\r\n\r\n".encode()
                )
                writer.write(b"" if method == "HEAD" else content)
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client has gone, or does not speak HTTP
        finally:
            writer.close()

    def answer(self, method: str, target: str) -> tuple[HTTPStatus, str, str]:
        """Return the status, the media type and the body of the response."""
        url = urlsplit(target)
        if method not in {"GET", "HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, JSON, json.dumps({"detail": "Only GET is answered."})
        match url.path.strip("/").split("/"):
            case [""]:
                return HTTPStatus.OK, HTML, list_page(self._inbox.mails())
            case ["readyz" | "livez"]:
                return HTTPStatus.OK, JSON, json.dumps({"status": "ready"})
            case ["mails"]:
                recipient = parse_qs(url.query).get("to", [None])[0]
                return (
                    HTTPStatus.OK,
                    JSON,
                    json.dumps({"items": [mail.as_json() for mail in self._inbox.mails(recipient)]}),
                )
            case [("mails" | "mail") as kind, number] if number.isdecimal() and len(number) < 10:
                mail = self._inbox.get(int(number))
                if mail is not None:
                    return (
                        (HTTPStatus.OK, JSON, json.dumps(mail.as_json()))
                        if kind == "mails"
                        else (HTTPStatus.OK, HTML, mail_page(mail))
                    )
        return HTTPStatus.NOT_FOUND, JSON, json.dumps({"detail": "There is nothing at this path."})


def list_page(mails: list[CaughtMail]) -> str:
    """Return the page with all mails, newest first."""
    rows = "".join(
        f'<tr><td><a href="/mail/{mail.id}" dir=auto>{_subject(mail)}</a></td>'
        f"<td>{escape(', '.join(mail.recipients))}</td><td class=quiet>{_time(mail)}</td></tr>"
        for mail in mails
    )
    table = f"<table><tr><th>Subject<th>To<th>Received</tr>{rows}</table>" if mails else "<p>No mail yet.</p>"
    return _page(
        "Inbox", f"<h1>Inbox</h1><p class=quiet>All mail of this stack. None of it leaves this machine.</p>{table}"
    )


def mail_page(mail: CaughtMail) -> str:
    """Return the page of one mail: its text, and its HTML in a frame that cannot run scripts."""
    document = escape(f'<base target="_blank">{mail.html}')
    frame = f'<h2>HTML</h2><iframe sandbox="{SANDBOX}" title="HTML" srcdoc="{document}"></iframe>' if mail.html else ""
    return _page(
        _subject(mail),
        f'<p><a href="/">Inbox</a></p><h1 dir=auto>{_subject(mail)}</h1>'
        f"<p class=quiet>to {escape(', '.join(mail.recipients))}, from {escape(mail.sender)}, {_time(mail)}</p>"
        f"<h2>Text</h2><pre dir=auto>{escape(mail.text)}</pre>{frame}",
    )


def _time(mail: CaughtMail) -> str:
    return escape(mail.received_at.replace("T", " ").replace("+00:00", " UTC"))


def _subject(mail: CaughtMail) -> str:
    return escape(mail.subject) or "(no subject)"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )
