import hmac
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from sandbox.errors import ApiError, InvalidKey
from sandbox.state import state_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PaystackRoute(APIRoute):
    """Route of Paystack's API: checks the secret key, counts the call against the rate limit, then injects faults.

    The name of the route selects the fault. If no fault has this name, the call falls under `others` (see `Faults.fault_for`).
    """

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            state = state_of(request)
            rate_limit_headers: dict[str, str] = {}
            try:
                authorization = request.headers.get("authorization", "").encode("latin-1", "replace")
                if not hmac.compare_digest(authorization, b"Bearer " + state.settings.key):
                    raise InvalidKey
                rate_limit_headers = state.fault_injector.count_call()
                response = await state.fault_injector.respond(self.name, request, partial(handle, request))
            except ApiError as error:
                response = error.response()
            for name, value in rate_limit_headers.items():
                response.headers.setdefault(name, value)
            return response

        return guarded
