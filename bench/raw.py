"""The least that a webhook can cost: an ASGI app without a framework, which reads the body, computes the HMAC, answers, stores nothing."""

import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

Message = MutableMapping[str, Any]
KEY = os.environ.get("PAYSTACK_SECRET_KEY", "").encode()


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer 200 if the signature is right, else 401."""
    if scope["type"] != "http":
        raise RuntimeError("only HTTP is served")
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    signature = next((value for name, value in scope["headers"] if name == b"x-paystack-signature"), b"")
    right = hmac.compare_digest(hmac.digest(KEY, body, "sha512").hex().encode(), signature)
    answer = b'{"status":"stored"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200 if right else 401, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run("bench.raw:app", port=int(os.environ["RAW_PORT"]), log_config=None, access_log=False, lifespan="off")
