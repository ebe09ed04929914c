"""Pages that a payer and a developer open: the checkout page, and an overview of all transactions."""

from typing import Annotated
from urllib.parse import quote, urlsplit, urlunsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sandbox.checkout.card_attempts import card_attempt, chosen_card
from sandbox.checkout.channels import (
    CHANNEL_ACTIONS,
    TITLES,
    charge_page,
    find_charge,
    handle_button,
    leave_charge,
    problem_of,
)
from sandbox.checkout.forms import CheckoutForm
from sandbox.checkout.pages import render_page
from sandbox.checkout.questions import QUESTION_TEXTS
from sandbox.enums import CardName, Channel, ChargeOutcome, CheckoutAction, TransactionStatus
from sandbox.errors import AlreadyPaid, SessionExpired
from sandbox.pending_charges.offers import channels_of, providers_of
from sandbox.state import CurrentState, State
from sandbox.timestamps import iso_timestamp, now
from sandbox.transactions import queries
from sandbox.transactions.cards import CARDS
from sandbox.transactions.models import Transaction
from sandbox.transactions.parsing import parse_http_url
from sandbox.transactions.pay import charge
from sandbox.webhooks import queue

SHOP = "Sandbox Shop"
OVERVIEW_LENGTH = 25

router = APIRouter(include_in_schema=False)


def return_url(transaction: Transaction) -> str | None:
    """Return the callback_url of the transaction with trxref and reference added to its query."""
    if transaction.callback_url is None:
        return None
    parts = urlsplit(transaction.callback_url)
    reference = quote(transaction.reference, safe="")
    added = f"trxref={reference}&reference={reference}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))


def _redirect(url: str) -> Response:
    return RedirectResponse(url, 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})


def _checkout_page(
    transaction: Transaction, chosen: CardName = CardName.SUCCESS, decline_message: str | None = None
) -> Response:
    offered, brands = channels_of(transaction), transaction.custom_filter("card_brands")
    cards = {name: card for name, card in CARDS.items() if brands is None or card.brand in brands}
    return render_page(
        "checkout.html",
        transaction=transaction,
        shop=SHOP,
        plain_cards={name: card for name, card in cards.items() if not card.questions},
        question_cards={name: card for name, card in cards.items() if card.questions},
        chosen=chosen if chosen in cards else next(iter(cards), None),
        decline_message=decline_message,
        cards_offered=Channel.CARD in offered and bool(cards),
        channels=[
            (channel, TITLES[channel], providers_of(transaction, channel))
            for channel in offered
            if channel != Channel.CARD
        ],
    )


def _question_page(transaction: Transaction, chosen: CardName, index: int) -> Response:
    question, expected_answer = CARDS[chosen].questions[index]
    return render_page(
        "question.html",
        transaction=transaction,
        shop=SHOP,
        card=CARDS[chosen],
        chosen=chosen,
        index=index,
        question=question,
        expected_answer=expected_answer,
        texts=QUESTION_TEXTS[question],
    )


def _receipt_page(transaction: Transaction, *, already_paid: bool) -> Response:
    return render_page(
        "receipt.html",
        transaction=transaction,
        shop=SHOP,
        return_url=return_url(transaction),
        already_paid=already_paid,
    )


def _not_found_page() -> Response:
    return render_page("not_found.html", 404, shop=SHOP)


def _expired_page(transaction: Transaction) -> Response:
    return render_page("expired.html", transaction=transaction, shop=SHOP)


async def _find_transaction(state: State, access_code: str) -> Transaction | None:
    return await state.store.run(lambda connection: queries.find_by_access_code(connection, access_code))


@router.get("/checkout/{access_code}")
async def show_checkout(access_code: str, state: CurrentState, *, waiting: bool = False) -> Response:
    """Show the checkout page, or a receipt if the transaction is paid.

    `waiting`: the page loaded itself again to see whether the charge is paid. If it is, the payer returns to the shop.
    """
    transaction = await _find_transaction(state, access_code)
    if transaction is None:
        return _not_found_page()
    if transaction.paid:
        return _after_payment(transaction) if waiting else _receipt_page(transaction, already_paid=True)
    pending = await find_charge(state, transaction)
    if pending is not None and pending.active:
        return charge_page(transaction, pending, SHOP)
    if transaction.expired(now()):
        return _expired_page(transaction)
    return _checkout_page(transaction, decline_message=problem_of(pending))


@router.post("/checkout/{access_code}")
async def submit_checkout(
    access_code: str, request: Request, state: CurrentState, form: Annotated[CheckoutForm, Form()]
) -> Response:
    """Handle a button of the checkout page."""
    transaction = await _find_transaction(state, access_code)
    if transaction is None:
        return _not_found_page()
    if form.action in CHANNEL_ACTIONS:
        await handle_button(state, access_code, form)
        return _redirect(f"/checkout/{access_code}?waiting=true")
    transaction = await leave_charge(state, transaction)
    if form.action == CheckoutAction.CANCEL and transaction.status != TransactionStatus.ONGOING:
        return _after_payment(transaction) if transaction.paid else _after_cancel(transaction)
    attempt = card_attempt(form, request.client.host if request.client else None)
    try:
        transaction = await charge(state, transaction.reference, attempt)
    except AlreadyPaid:
        # A second click, or the same page in another tab, gets the same redirect as the first one.
        return _after_payment(await _find_transaction(state, access_code) or transaction)
    except SessionExpired:
        return _expired_page(transaction)
    if transaction.paid:
        return _after_payment(transaction)
    if attempt.outcome == ChargeOutcome.ABANDONED:
        return _after_cancel(transaction)
    chosen = chosen_card(form)
    if attempt.outcome == ChargeOutcome.ONGOING:
        index = form.question_index + 1 if form.action == CheckoutAction.ANSWER else 0
        return _question_page(transaction, chosen, index)
    return _checkout_page(transaction, chosen, transaction.gateway_response)


def _after_payment(transaction: Transaction) -> Response:
    url = return_url(transaction)
    return _redirect(url) if url else _receipt_page(transaction, already_paid=False)


def _after_cancel(transaction: Transaction) -> Response:
    """Redirect to the `cancel_action` of the metadata, or show that the payment was cancelled and the transaction can still be paid."""
    url = parse_http_url(transaction.cancel_action)
    return _redirect(url) if url else render_page("cancelled.html", transaction=transaction, shop=SHOP)


@router.get("/")
async def show_overview(state: CurrentState) -> Response:
    """Show the webhook counts and the latest transactions."""
    latest, counts = await state.store.run(
        lambda connection: (queries.list_latest(connection, OVERVIEW_LENGTH), queue.count_by_state(connection))
    )
    rows = [(transaction, iso_timestamp(transaction.created_at)[:19].replace("T", " ")) for transaction in latest]
    return render_page("overview.html", rows=rows, counts=counts, settings=state.settings, shop=SHOP)


@router.get("/favicon.ico")
async def favicon() -> Response:
    return Response(status_code=204, headers={"cache-control": "max-age=86400"})
