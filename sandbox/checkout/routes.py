"""The page where a payer pays, and where it leads."""

from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sandbox.checkout.pages import page
from sandbox.errors import AlreadyPaid
from sandbox.integration import Merchant
from sandbox.transactions import ledger
from sandbox.transactions.bodies import instant
from sandbox.transactions.cards import CARDS, CardName
from sandbox.transactions.charges import Charge, charge
from sandbox.transactions.initialization import web_address
from sandbox.transactions.ledger import Transaction
from sandbox.webhooks import queue

SHOP = "Sandbox Shop"
RECENT = 25
Action = Literal["pay", "decline", "cancel"]

router = APIRouter(include_in_schema=False)


def way_back(transaction: Transaction) -> str | None:
    """The merchant's callback_url with trxref and reference added to whatever query it has."""
    if transaction.callback_url is None:
        return None
    parts = urlsplit(transaction.callback_url)
    reference = quote(transaction.reference, safe="")
    added = f"trxref={reference}&reference={reference}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))


def _leave(address: str) -> Response:
    return RedirectResponse(address, 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})


def _checkout(transaction: Transaction, chosen: str = "success", refused: str | None = None) -> Response:
    return page("checkout.html", transaction=transaction, shop=SHOP, cards=CARDS, chosen=chosen, refused=refused)


def _receipt(transaction: Transaction, *, again: bool) -> Response:
    return page("receipt.html", transaction=transaction, shop=SHOP, back=way_back(transaction), again=again)


def _unknown() -> Response:
    return page("unknown.html", 404, shop=SHOP)


async def _transaction(merchant: Merchant, access_code: str) -> Transaction | None:
    return await merchant.store.run(lambda connection: ledger.find_by_access_code(connection, access_code))


@router.get("/checkout/{access_code}")
async def show(access_code: str, merchant: Merchant) -> Response:
    transaction = await _transaction(merchant, access_code)
    if transaction is None:
        return _unknown()
    return _receipt(transaction, again=True) if transaction.paid else _checkout(transaction)


@router.post("/checkout/{access_code}")
async def act(
    access_code: str,
    request: Request,
    merchant: Merchant,
    action: Annotated[Action, Form()],
    card: Annotated[CardName, Form()] = "success",
) -> Response:
    transaction = await _transaction(merchant, access_code)
    if transaction is None:
        return _unknown()
    if action == "cancel":
        return _cancel(transaction)
    chosen: CardName = "declined" if action == "decline" else card
    refusal = CARDS[chosen].refusal
    payer = request.client.host if request.client else None
    attempt = Charge("failed" if refusal else "success", CARDS[chosen], payer)
    try:
        transaction = await charge(merchant, transaction.reference, attempt)
    except AlreadyPaid:
        # A second click, or the page in another tab: it leads where the first led.
        return _paid(await _transaction(merchant, access_code) or transaction)
    return _paid(transaction) if transaction.paid else _checkout(transaction, chosen, refusal)


def _paid(transaction: Transaction) -> Response:
    back = way_back(transaction)
    return _leave(back) if back else _receipt(transaction, again=False)


def _cancel(transaction: Transaction) -> Response:
    """Nothing changes: the transaction stays abandoned, and may still be paid."""
    address = web_address(transaction.cancel_action)
    return _leave(address) if address else page("closed.html", transaction=transaction, shop=SHOP)


@router.get("/")
async def overview(merchant: Merchant) -> Response:
    latest, counts = await merchant.store.run(
        lambda connection: (ledger.latest(connection, RECENT), queue.counts(connection))
    )
    rows = [(each, (instant(each.created_at) or "")[:19].replace("T", " ")) for each in latest]
    return page("overview.html", rows=rows, counts=counts, settings=merchant.settings, shop=SHOP)


@router.get("/favicon.ico")
async def favicon() -> Response:
    return Response(status_code=204, headers={"cache-control": "max-age=86400"})
