"""What stands before every call of Paystack's own API."""

import hmac
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from sandbox.errors import InvalidKey, Refusal
from sandbox.integration import integration

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PaystackRoute(APIRoute):
    """Every call shows the secret key, counts against the rate limit and meets the weather."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            here = integration(request)
            limits: dict[str, str] = {}
            try:
                shown = request.headers.get("authorization", "").encode("latin-1", "replace")
                if not hmac.compare_digest(shown, b"Bearer " + here.settings.key):
                    raise InvalidKey
                limits = here.faults.spend()
                response = await here.faults.through(self.name, request, partial(handle, request))
            except Refusal as refused:
                response = refused.response()
            for name, value in limits.items():
                response.headers.setdefault(name, value)
            return response

        return guarded
