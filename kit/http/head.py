"""HEAD: answered like GET, without the body (RFC 9110 section 9.3.2)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _HeadAnswered(Exception):
    """Ends the app's processing of a HEAD request whose response would continue."""


class Head:
    """ASGI middleware that passes HEAD on as GET and drops the body of the response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body", False):
                raise _HeadAnswered  # do not read the rest, such as a whole ledger

        get = {**scope, "method": "GET"}  # a copy: the server must still see HEAD
        try:
            await self.app(get, receive, send_without_body)
        except _HeadAnswered:
            pass
        finally:
            if "route" in get:
                scope["route"] = get["route"]  # for the log
