"""The filters of lists of orders, as SQL conditions. positions.py reads the matches."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func

from kit.db.bulk import table_of
from services.catalog.order_models import Order, OrderItem
from services.catalog.search_vectors import WORD_SEPARATORS
from services.catalog.statuses import OrderStatus

ORDERS, ITEMS = table_of(Order), table_of(OrderItem)
LOWER_EMAIL = func.lower(ORDERS.c.customer_email)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Select orders that match all filters. A filter that is None or empty is not applied; `since` is inclusive, `until` is exclusive.

    `owner` is the account whose orders the caller may see; None: all orders.
    """

    owner: str | None
    customer: str | None = None
    statuses: Collection[OrderStatus] = ()
    email: str | None = None
    external_id: str | None = None
    product_id: UUID | None = None
    number: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_amount: int | None = None
    max_amount: int | None = None
    currency: str | None = None
    words: Sequence[str] = ()

    def conditions(self) -> dict[str, ColumnElement[bool]]:
        """Return the SQL conditions by name of the filter, except `since` and `until`. The most selective filters come first."""
        possible = {
            "number": None if self.number is None else ORDERS.c.number == self.number,
            "external_id": None if self.external_id is None else ORDERS.c.customer_external_id == self.external_id,
            "owner": None if self.owner is None else ORDERS.c.customer_id == self.owner,
            "customer": None if self.customer is None else ORDERS.c.customer_id == self.customer,
            "email": None if self.email is None else func.lower(self.email) == LOWER_EMAIL,
            "product": None if self.product_id is None else _has_product(self.product_id),
            "words": _has_words(self.words) if self.words else None,
            "amount": self._has_amount(),
            "status": ORDERS.c.status.in_(self.statuses) if self.statuses else None,
            "currency": None if self.currency is None else ORDERS.c.currency == self.currency,
        }
        return {name: condition for name, condition in possible.items() if condition is not None}

    def _has_amount(self) -> ColumnElement[bool] | None:
        amount = ORDERS.c.amount
        if self.min_amount is None:
            return None if self.max_amount is None else amount <= self.max_amount
        return (
            amount >= self.min_amount if self.max_amount is None else amount.between(self.min_amount, self.max_amount)
        )


def _has_product(product_id: UUID) -> ColumnElement[bool]:
    return exists().where(ITEMS.c.order_id == ORDERS.c.id, ITEMS.c.product_id == product_id)


def split_words(text: str) -> list[str]:
    """Split a text into words in the same way as the index of words does."""
    return re.sub(rf"[{re.escape(WORD_SEPARATORS)}'\\\\]", " ", text).split()


def _has_words(words: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that every word is in the text, or is the beginning of a word in it. Words are quoted, so no character of them
    is an operator of tsquery.
    """
    return ORDERS.c.search.op("@@")(func.to_tsquery("simple", " & ".join(f"'{word}':*" for word in words)))
