"""The page to which Paystack redirects the payer's browser.

The request is not authenticated and is no evidence of a payment, so it only starts a verification of the payment at Paystack. The number of
these verifications is limited (settlement/requested.py); without one, the page shows what this service knows.
"""

import asyncio
from contextlib import suppress
from html import escape
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from contracts.money import format_money
from kit.http.client_address import TrustedProxies
from kit.http.routing import Route, Router
from services.payments.checkout.return_urls import with_query
from services.payments.clients import CurrentClients
from services.payments.db import sessions
from services.payments.errors import NotConfigured, PaystackUnavailable
from services.payments.models import UNPAID, Payment
from services.payments.paystack.client import Paystack
from services.payments.settings import settings
from services.payments.settlement.requested import RequestedVerifications
from services.payments.settlement.verify import verify_now
from services.payments.statuses import PaymentStatus


class ReturnPageRoute(Route):
    """A route to which Paystack adds query parameters."""

    accepts_other_parameters = True


router = Router(tags=["payments"], route_class=ReturnPageRoute)
Reference = Annotated[
    str | None, Query(max_length=200, description="Reference of the payment; Paystack sends it in both parameters")
]

VERIFY_SECONDS = 3.0
"""The longest time that the payer waits for the verification."""

TITLES_AND_TEXTS = {
    PaymentStatus.PENDING: (
        "Almost there",
        "The payment of {amount} is not confirmed yet. If you have paid, do not pay again: the confirmation will follow. "
        "If you cancelled or did not pay, nothing was charged.",
    ),
    PaymentStatus.FAILED: (
        "Not paid",
        "The payment of {amount} was declined, and nothing was charged. You may try again.",
    ),
    PaymentStatus.ABANDONED: (
        "Not paid",
        "The payment of {amount} was not completed, and nothing was charged. You may try again.",
    ),
    PaymentStatus.SUCCEEDED: ("Thank you", "Your payment of {amount} was received."),
    PaymentStatus.HELD: (
        "Under review",
        "Your payment of {amount} was received and is being reviewed. Please do not pay again.",
    ),
    PaymentStatus.PARTIALLY_REFUNDED: (
        "Partly refunded",
        "Your payment of {amount} was received, and {refunded} of it was refunded.",
    ),
    PaymentStatus.REFUNDED: ("Refunded", "Your payment of {amount} was refunded."),
    PaymentStatus.DISPUTED: (
        "In dispute",
        "Your payment of {amount} was received. Your bank is examining a dispute about it.",
    ),
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>body{{font:17px/1.5 system-ui,sans-serif;color:#16324a;background:#f4f7fa;
margin:0;display:grid;place-items:center;min-height:100vh}}main{{background:#fff;border-radius:16px;padding:40px 32px;max-width:26rem;
margin:16px;box-shadow:0 8px 30px #16324a14}}
h1{{margin:0 0 8px;font-size:24px}}p{{margin:0 0 16px}}small{{color:#5b7286;word-break:break-all}}</style>
<main>{shop}<h1>{title}</h1><p>{text}</p>{link}<small>{reference}</small></main></html>"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.get(
    "/payments/callback",
    summary="Show the return page to the payer",
    responses={
        303: {"description": "Redirect to the callback_url of the payment"},
        404: {
            "description": "There is no payment with this reference",
            "content": {"text/html": {"schema": {"type": "string"}}},
        },
    },
    response_class=HTMLResponse,
)
async def show_return_page(
    request: Request, clients: CurrentClients, trxref: Reference = None, reference: Reference = None
) -> Response:
    """Verify the payment, then redirect the payer's browser to its `callback_url` with the parameter `reference`.

    If the payment has no `callback_url`, show a page with the result.
    """
    requested = reference or trxref or ""
    async with sessions() as session:
        query = select(Payment).where(Payment.reference == _printable_ascii(requested))
        payment = (await session.execute(query)).scalar_one_or_none()
    if payment is None:
        return _page(404, "Unknown payment", "There is no payment with this reference.", "")
    # Without an answer or without a secret key, the webhook or the sweeper settles the payment later: the payer does not have to wait.
    reported = None
    with suppress(PaystackUnavailable, NotConfigured, TimeoutError):
        if payment.status in UNPAID and await _may_verify(request, clients.paystack):
            async with asyncio.timeout(VERIFY_SECONDS):
                reported = await verify_now(sessions, clients.paystack, payment.reference)
    if payment.callback_url:
        # Not a RedirectResponse, which would escape some characters of the URL.
        location = with_query(payment.callback_url, f"trxref={payment.reference}&reference={payment.reference}")
        return Response(status_code=303, headers={**HEADERS, "Location": location})
    async with sessions() as session:
        payment = (await session.execute(select(Payment).where(Payment.id == payment.id))).scalar_one()
    title, text = TITLES_AND_TEXTS[_shown_status(payment.status, reported)]
    return _page(200, title, _fill(text, payment), payment.reference)


async def _may_verify(request: Request, paystack: Paystack) -> bool:
    requested: RequestedVerifications = request.state.requested_verifications
    proxies: TrustedProxies = request.state.trusted_proxies
    # Without a trusted proxy, the peer may be a proxy whose address stands for all payers.
    address = await proxies.client_network(request.scope) if settings.trusted_proxies else None
    return requested.return_page_may_verify(paystack.rate_limit, address)


def _shown_status(status: PaymentStatus, reported: str | None) -> PaymentStatus:
    """Return the status to show. `reported`: the status of the charge that Paystack has just answered, or None.

    A payer who reads that nothing was charged pays again. So an unpaid payment is shown as failed or abandoned only if Paystack has just
    said so: a failed or abandoned payment can still be paid, for example by a transfer that is on its way.
    """
    if status not in UNPAID:
        return status
    shown = {"failed": PaymentStatus.FAILED, "abandoned": PaymentStatus.ABANDONED}
    return shown.get(reported or "", PaymentStatus.PENDING)


def _fill(text: str, payment: Payment) -> str:
    """Put the paid amount, or the amount to pay, and the refunded amount into a text."""
    currency = payment.paid_currency or payment.currency
    amount = payment.amount if payment.paid_amount is None else payment.paid_amount
    return text.format(amount=format_money(amount, currency), refunded=format_money(payment.refunded_amount, currency))


def _printable_ascii(reference: str) -> str:
    """Return the reference, or an empty string if it contains characters that no reference has."""
    return reference if reference.isascii() and reference.isprintable() else ""


def _page(status: int, title: str, text: str, reference: str) -> HTMLResponse:
    name, url = settings.payments_shop_name, settings.payments_shop_url
    html = PAGE.format(
        title=escape(title),
        text=escape(text),
        reference=escape(reference),
        shop=f"<p>{escape(name)}</p>" if name else "",
        link=f'<p><a href="{escape(url)}">Back to {escape(name or "the shop")}</a></p>' if url else "",
    )
    return HTMLResponse(html, status, HEADERS)
