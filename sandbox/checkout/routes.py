"""The page where a payer pays, and where it leads."""

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sandbox.checkout.pages import page
from sandbox.checkout.questions import QUESTIONS
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
Action = Literal["pay", "answer", "decline", "cancel"]

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
    asking = {name: card for name, card in CARDS.items() if card.asks}
    plain = {name: card for name, card in CARDS.items() if not card.asks}
    known: dict[str, Any] = {"plain": plain, "asking": asking, "chosen": chosen, "refused": refused}
    return page("checkout.html", transaction=transaction, shop=SHOP, **known)


def _question(transaction: Transaction, chosen: CardName, asked: int) -> Response:
    question, right = CARDS[chosen].asks[asked]
    known: dict[str, Any] = {
        "chosen": chosen,
        "asked": asked,
        "name": question,
        "right": right,
        "question": QUESTIONS[question],
    }
    return page("question.html", transaction=transaction, shop=SHOP, card=CARDS[chosen], **known)


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
    asked: Annotated[int, Form(ge=0, le=9)] = 0,
    answer: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    transaction = await _transaction(merchant, access_code)
    if transaction is None:
        return _unknown()
    if action == "cancel" and transaction.status != "ongoing":
        return _paid(transaction) if transaction.paid else _closed(transaction)
    chosen: CardName = "declined" if action == "decline" else card
    attempt = _attempt(action, chosen, asked, answer, request.client.host if request.client else None)
    try:
        transaction = await charge(merchant, transaction.reference, attempt)
    except AlreadyPaid:
        # A second click, or the page in another tab: it leads where the first led.
        return _paid(await _transaction(merchant, access_code) or transaction)
    if transaction.paid:
        return _paid(transaction)
    if attempt.outcome == "abandoned":
        return _closed(transaction)
    if attempt.outcome == "ongoing":
        return _question(transaction, chosen, asked + 1 if action == "answer" else 0)
    return _checkout(transaction, chosen, transaction.gateway_response)


def _attempt(action: Action, name: CardName, asked: int, answer: str, payer: str | None) -> Charge:
    """What a button leads to; `asked`: the question of the card that is answered, counted from 0."""
    card = CARDS[name]
    if action == "cancel":
        return Charge("abandoned")
    left = card.asks
    if action == "answer":
        answered, left = card.asks[asked : asked + 1], card.asks[asked + 1 :]
        for question, right in answered:
            if right and answer.strip() != right:
                return Charge("failed", card, payer, words=QUESTIONS[question].wrong)
    if left:
        return Charge("ongoing", card, payer)
    return Charge("failed" if card.refusal else "success", card, payer)


def _paid(transaction: Transaction) -> Response:
    back = way_back(transaction)
    return _leave(back) if back else _receipt(transaction, again=False)


def _closed(transaction: Transaction) -> Response:
    """Cancelled: it may still be paid."""
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
