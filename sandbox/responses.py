import json
from typing import Any

from starlette.responses import JSONResponse


def compact_json(value: Any) -> bytes:
    """Encode JSON as Node does: no spaces, and no escapes for slashes and letters. Raises ValueError for NaN and Infinity."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # a lone surrogate, which Node escapes
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


class ApiResponse(JSONResponse):
    """JSON response with the bytes that Paystack would send."""

    def render(self, content: Any) -> bytes:
        return compact_json(content)


def success(message: str, data: Any, **more: Any) -> ApiResponse:
    """Return a response in Paystack's envelope for a successful call."""
    return ApiResponse({"status": True, "message": message, "data": data, **more})
