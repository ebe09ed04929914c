"""The page to which Paystack redirects the payer's browser.

The request is not authenticated and is no evidence of a payment, so it only starts a verification of the payment at Paystack. The number of
these verifications is limited (settlement/requested.py); if none is left, the page shows the payment as it is stored.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from kit.http.client_address import TrustedProxies
from kit.http.routing import Route, Router
from services.payments.checkout.return_texts import PageText, RejectedTransfer, page_text
from services.payments.checkout.return_urls import with_query
from services.payments.clients import CurrentClients
from services.payments.db import sessions
from services.payments.errors import NotConfigured, PaystackUnavailable
from services.payments.models import UNPAID, Payment
from services.payments.paystack.client import Paystack
from services.payments.settings import settings
from services.payments.settlement.requested import RequestedVerifications
from services.payments.settlement.verify import verify_now


class ReturnPageRoute(Route):
    """A route to which Paystack adds query parameters."""

    accepts_other_parameters = True


router = Router(tags=["payments"], route_class=ReturnPageRoute)
Reference = Annotated[
    str | None, Query(max_length=200, description="Reference of the payment; Paystack sends it in both parameters")
]

VERIFY_SECONDS = 3.0
"""The longest time that the payer waits for the verification."""

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>body{{font:17px/1.5 system-ui,sans-serif;color:#16324a;background:#f4f7fa;
margin:0;display:grid;place-items:center;min-height:100vh}}main{{background:#fff;border-radius:16px;padding:40px 32px;max-width:26rem;
margin:16px;box-shadow:0 8px 30px #16324a14}}
h1{{margin:0 0 8px;font-size:24px}}p{{margin:0 0 16px}}small{{color:#5b7286;word-break:break-all}}</style>
<main>{shop}<h1>{title}</h1><p>{text}</p>{links}<small>{reference}</small></main></html>"""
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
    """Verify the payment, then redirect the payer's browser to its `callback_url` with the parameters `trxref` and `reference`.

    If the payment has no `callback_url`, show a page with the result.
    """
    requested = reference or trxref or ""
    async with sessions() as session:
        query = select(Payment).where(Payment.reference == _printable_ascii(requested))
        payment = (await session.execute(query)).scalar_one_or_none()
    if payment is None:
        return _page(404, PageText("Unknown payment", "There is no payment with this reference."), "")
    # Without an answer, the webhook or the sweeper settles the payment later: the payer does not have to wait.
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
    last = payment.last_rejected_transfer
    rejected = RejectedTransfer(last["amount"], last["reason"]) if last else None
    shown = page_text(payment, reported, rejected, datetime.now(UTC))
    return _page(200, shown, payment.reference)


async def _may_verify(request: Request, paystack: Paystack) -> bool:
    requested: RequestedVerifications = request.state.requested_verifications
    proxies: TrustedProxies = request.state.trusted_proxies
    # Without a trusted proxy, the peer may be a proxy whose address stands for all payers.
    address = await proxies.limit_address(request.scope) if settings.trusted_proxies else None
    return requested.return_page_may_verify(paystack.rate_limit, address)


def _printable_ascii(reference: str) -> str:
    """Return the reference, or an empty string if it contains characters that no reference has."""
    return reference if reference.isascii() and reference.isprintable() else ""


def _page(status: int, shown: PageText, reference: str) -> HTMLResponse:
    name, url = settings.payments_shop_name, settings.payments_shop_url
    links = [(shown.pay_url, "Go to the payment page"), (url, f"Back to {name or 'the shop'}")]
    html = PAGE.format(
        title=escape(shown.title),
        text=escape(shown.text),
        reference=escape(reference),
        shop=f"<p>{escape(name)}</p>" if name else "",
        links="".join(f'<p><a href="{escape(target)}">{escape(label)}</a></p>' for target, label in links if target),
    )
    return HTMLResponse(html, status, HEADERS)
