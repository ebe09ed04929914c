import json
from typing import Any

from starlette.responses import JSONResponse


def compact(value: Any) -> bytes:
    """JSON as Node writes it: no spaces, slashes and letters unescaped. Errors: ValueError for NaN and Infinity."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # a lone surrogate: Node escapes it
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


class Answer(JSONResponse):
    def render(self, content: Any) -> bytes:
        return compact(content)


def succeeded(message: str, data: Any, **more: Any) -> Answer:
    """Paystack's envelope of a call that worked."""
    return Answer({"status": True, "message": message, "data": data, **more})
