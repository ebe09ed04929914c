"""Where the payer's browser comes back to. It proves nothing: it only makes us ask Paystack (it is an anonymous GET)."""

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
Reference = Annotated[str | None, Query(max_length=200)]

PATIENCE_SECONDS = 3.0
"""How long a payer looks at a blank page while Paystack is asked."""

WORDS = {
    PaymentStatus.SUCCEEDED: ("Thank you", "Your payment was received."),
    PaymentStatus.FAILED: ("Not paid", "The payment was declined. No money was taken; you may try again."),
    PaymentStatus.HELD: ("Under review", "Your payment was received and is being looked at. Please do not pay again."),
    PaymentStatus.REFUNDED: ("Refunded", "The payment was given back."),
    PaymentStatus.PENDING: (
        "Almost there",
        "The payment is not confirmed yet. If you have paid, do not pay again: it will be seen.",
    ),
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>body{{font:17px/1.5 system-ui,sans-serif;color:#16324a;background:#f4f7fa;
margin:0;display:grid;place-items:center;min-height:100vh}}main{{background:#fff;border-radius:16px;padding:40px 32px;max-width:26rem;
margin:16px;box-shadow:0 8px 30px #16324a14}}
h1{{margin:0 0 8px;font-size:24px}}p{{margin:0 0 16px}}small{{color:#5b7286;word-break:break-all}}</style>
<main><h1>{title}</h1><p>{words}</p><small>{reference}</small></main></html>"""


@router.get(
    "/payments/callback",
    responses={303: {"description": "To the callback_url of the payment"}},
    response_class=HTMLResponse,
)
async def callback(clients: CurrentClients, trxref: Reference = None, reference: Reference = None) -> Response:
    """The payer's return. 303 to the payment's callback_url, with `reference`, or a small page that says how it stands."""
    named = reference or trxref or ""
    async with sessions() as session:
        payment = (
            await session.execute(select(Payment).where(Payment.reference == _plain(named)))
        ).scalar_one_or_none()
    if payment is None:
        return _page(404, "Unknown payment", "There is no payment of this reference.", "")
    # Where Paystack does not answer, the webhook or the sweep will tell; the payer need not wait for it.
    with suppress(PaystackUnavailable, TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await verify_now(sessions, clients.paystack, payment.reference)
    if payment.callback_url:
        return RedirectResponse(_returned(payment.callback_url, payment.reference), 303)
    async with sessions() as session:
        status = (await session.execute(select(Payment.status).where(Payment.id == payment.id))).scalar_one()
    title, words = WORDS.get(status, WORDS[PaymentStatus.PENDING])
    return _page(200, title, words, payment.reference)


def _returned(url: str, reference: str) -> str:
    """The shop's own URL with `trxref` and `reference`, as Paystack would call it; what it had of that name gives way."""
    parts = urlsplit(url)
    ours = {"trxref": reference, "reference": reference}
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in ours]
    return urlunsplit(parts._replace(query=urlencode([*kept, *ours.items()])))


def _plain(reference: str) -> str:
    return reference if reference.isascii() and reference.isprintable() else ""


def _page(status: int, title: str, words: str, reference: str) -> HTMLResponse:
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}
    return HTMLResponse(
        PAGE.format(title=escape(title), words=escape(words), reference=escape(reference)), status, headers
    )
