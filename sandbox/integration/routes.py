"""Paystack's calls for the payment session timeout of the account."""

import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.api.fields import parse_fields
from sandbox.api.openapi import body_of
from sandbox.errors import InvalidParams
from sandbox.integration import queries
from sandbox.paystack_route import PaystackRoute
from sandbox.responses import success
from sandbox.state import CurrentState

router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)
PATH = "/integration/payment_session_timeout"
LONGEST_TIMEOUT = 365 * 24 * 3_600
"""Seconds. Paystack's limit is not published."""
UPDATE = {
    "type": "object",
    "required": ["timeout"],
    "properties": {"timeout": {"type": "integer", "description": "Seconds; 0: checkouts do not expire."}},
}


@router.get(PATH, name="session_timeout", summary="Show the payment session timeout")
async def show_session_timeout(state: CurrentState) -> Response:
    """Show how many seconds an unpaid checkout lives; 0 if a checkout has no end."""
    return success(
        "Payment session timeout retrieved",
        {"payment_session_timeout": await state.store.run(queries.find_session_timeout)},
    )


@router.put(PATH, name="session_timeout", summary="Change the payment session timeout", openapi_extra=body_of(UPDATE))
async def update_session_timeout(request: Request, state: CurrentState) -> Response:
    """Change how many seconds an unpaid checkout lives. It applies to transactions that are initialized later."""
    fields = parse_fields(request.headers.get("content-type", ""), await request.body())
    seconds = _parse_timeout(fields.get("timeout"))

    def job(connection: sqlite3.Connection) -> None:
        queries.save_session_timeout(connection, seconds)

    await state.store.run(job)
    return success("Payment session timeout updated", {"payment_session_timeout": seconds})


def _parse_timeout(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LONGEST_TIMEOUT:
        raise InvalidParams(f"timeout must be a whole number of seconds from 0 to {LONGEST_TIMEOUT}")
    return value
