"""The page to which Paystack redirects the payer's browser.

The request is not authenticated and is no evidence of a payment, so it only starts a verification of the payment at Paystack.
"""

import asyncio
from contextlib import suppress
from html import escape
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import select

from services.payments.clients import CurrentClients
from services.payments.db import sessions
from services.payments.errors import PaystackUnavailable
from services.payments.models import Payment, PaymentStatus
from services.payments.settlement.verify import verify_now

router = APIRouter(tags=["payments"])
Reference = Annotated[
    str | None, Query(max_length=200, description="Reference of the payment; Paystack sends it in both parameters")
]

VERIFY_SECONDS = 3.0
"""The longest time that the payer waits for the verification."""

TITLES_AND_TEXTS = {
    PaymentStatus.SUCCEEDED: ("Thank you", "Your payment was received."),
    PaymentStatus.FAILED: ("Not paid", "The payment was declined. No money was taken. You may try again."),
    PaymentStatus.HELD: ("Under review", "Your payment was received and is being reviewed. Please do not pay again."),
    PaymentStatus.REFUNDED: ("Refunded", "The payment was refunded."),
    PaymentStatus.PENDING: (
        "Almost there",
        "The payment is not confirmed yet. If you have paid, do not pay again: the confirmation will follow.",
    ),
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>body{{font:17px/1.5 system-ui,sans-serif;color:#16324a;background:#f4f7fa;
margin:0;display:grid;place-items:center;min-height:100vh}}main{{background:#fff;border-radius:16px;padding:40px 32px;max-width:26rem;
margin:16px;box-shadow:0 8px 30px #16324a14}}
h1{{margin:0 0 8px;font-size:24px}}p{{margin:0 0 16px}}small{{color:#5b7286;word-break:break-all}}</style>
<main><h1>{title}</h1><p>{text}</p><small>{reference}</small></main></html>"""


@router.get(
    "/payments/callback",
    summary="Receive the payer's browser after the payment",
    responses={
        303: {"description": "Redirect to the callback_url of the payment"},
        404: {"description": "There is no payment with this reference", "content": {"text/html": {}}},
    },
    response_class=HTMLResponse,
)
async def show_return_page(clients: CurrentClients, trxref: Reference = None, reference: Reference = None) -> Response:
    """Verify the payment, then redirect the payer's browser to its `callback_url` with the parameter `reference`.

    If the payment has no `callback_url`, show a page with the result.
    """
    requested = reference or trxref or ""
    async with sessions() as session:
        query = select(Payment).where(Payment.reference == _printable_ascii(requested))
        payment = (await session.execute(query)).scalar_one_or_none()
    if payment is None:
        return _page(404, "Unknown payment", "There is no payment with this reference.", "")
    # If Paystack does not answer, the webhook or the sweeper settles the payment later: the payer does not have to wait.
    with suppress(PaystackUnavailable, TimeoutError):
        async with asyncio.timeout(VERIFY_SECONDS):
            await verify_now(sessions, clients.paystack, payment.reference)
    if payment.callback_url:
        return RedirectResponse(_with_reference(payment.callback_url, payment.reference), 303)
    async with sessions() as session:
        status = (await session.execute(select(Payment.status).where(Payment.id == payment.id))).scalar_one()
    title, text = TITLES_AND_TEXTS.get(status, TITLES_AND_TEXTS[PaymentStatus.PENDING])
    return _page(200, title, text, payment.reference)


def _with_reference(url: str, reference: str) -> str:
    """Return the URL with the parameters `trxref` and `reference`, as Paystack adds them. Replace parameters with these names."""
    parts = urlsplit(url)
    added = {"trxref": reference, "reference": reference}
    others = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in added]
    return urlunsplit(parts._replace(query=urlencode([*others, *added.items()])))


def _printable_ascii(reference: str) -> str:
    """Return the reference, or an empty string if it contains characters that no reference has."""
    return reference if reference.isascii() and reference.isprintable() else ""


def _page(status: int, title: str, text: str, reference: str) -> HTMLResponse:
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}
    html = PAGE.format(title=escape(title), text=escape(text), reference=escape(reference))
    return HTMLResponse(html, status, headers)
