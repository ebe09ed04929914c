"""The page that shows a buyer the status of an order, for shops that have no such page of their own."""

from html import escape

from fastapi import Depends
from fastapi.responses import HTMLResponse

from contracts.money import format_money
from kit.http.routing import Router
from services.catalog.db import Reading
from services.catalog.orders.errors import StatusTokenNotFound
from services.catalog.orders.status import ItemStatusView, OrderStatusView, Token, limit_status_requests, load_status
from services.catalog.statuses import OrderStatus

TITLES_AND_TEXTS = {
    OrderStatus.PENDING: (
        "Waiting for the payment",
        "The payment is not confirmed yet. If you have paid, do not pay again: the confirmation will follow.",
    ),
    OrderStatus.PAID: ("Paid", "Your payment was received. The order is being prepared."),
    OrderStatus.DELIVERED: ("Delivered", "Your payment was received, and everything was delivered."),
    OrderStatus.EXPIRED: (
        "Expired",
        "No payment was received in time. If you have paid nevertheless, the order will be delivered or the money refunded.",
    ),
    OrderStatus.CANCELLED: ("Cancelled", "The order was cancelled. If you have paid, the money is refunded."),
    OrderStatus.REFUNDED: ("Refunded", "The whole amount was refunded."),
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>body{{font:17px/1.5 system-ui,sans-serif;color:#16324a;background:#f4f7fa;
margin:0;display:grid;place-items:center;min-height:100vh}}main{{background:#fff;border-radius:16px;padding:40px 32px;max-width:26rem;
margin:16px;box-shadow:0 8px 30px #16324a14}}
h1{{margin:0 0 8px;font-size:24px}}p{{margin:0 0 16px}}ul{{margin:0 0 16px;padding:0 0 0 20px}}
small{{color:#5b7286}}li{{overflow-wrap:anywhere}}</style>
<main><h1>{title}</h1><p>{text}</p>{details}</main></html>"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

router = Router(prefix="/catalog/orders", tags=["orders"])


@router.get(
    "/status/{status_token}/page",
    dependencies=[Depends(limit_status_requests)],
    summary="Show the status of an order as a page",
    responses={
        404: {
            "description": "No order has this status token",
            "content": {"text/html": {"schema": {"type": "string"}}},
        },
    },
    response_class=HTMLResponse,
)
async def show_order_status(status_token: Token, session: Reading) -> HTMLResponse:
    """Show what GET /catalog/orders/status/{status_token} answers as a page for browsers. Both count for the same limit."""
    try:
        order = await load_status(session, status_token)
    except StatusTokenNotFound as problem:
        return _page(404, "Unknown order", problem.detail, "")
    title, text = TITLES_AND_TEXTS[order.status]
    return _page(200, title, text, _details(order))


def _page(status: int, title: str, text: str, details: str) -> HTMLResponse:
    """Return the page. `details` is HTML."""
    return HTMLResponse(PAGE.format(title=escape(title), text=escape(text), details=details), status, HEADERS)


def _details(order: OrderStatusView) -> str:
    items = "".join(f"<li>{escape(_item(item, order.currency))}</li>" for item in order.items)
    amount = f"Total: {format_money(order.amount, order.currency)}"
    if order.refunded_amount:
        amount += f", of which {format_money(order.refunded_amount, order.currency)} was refunded"
    if (refund := order.refunded_in_other_currency) is not None:
        amount += f". {format_money(refund.amount, refund.currency)} was refunded"
    reason = f"<p>Reason: {escape(order.cancel_reason)}</p>" if order.cancel_reason else ""
    placed = f"{order.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{reason}<ul>{items}</ul><p>{amount}</p><small>Order {escape(order.number)}, placed {placed}</small>"


def _item(item: ItemStatusView, currency: str) -> str:
    """Return the text about an item, with the last step that any of its units have reached."""
    options = f" ({', '.join(item.options.values())})" if item.options else ""
    text = f"{item.quantity} × {item.name}{options}: {format_money(item.amount, currency)}"
    for step, units in (("delivered", item.delivered), ("shipped", item.shipped), ("packed", item.packed)):
        if units:
            return f"{text}, {units} of {item.quantity} {step}"
    return text
