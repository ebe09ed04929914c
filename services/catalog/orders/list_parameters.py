"""The query parameters of the list of orders."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AfterValidator

from kit.fields import MAX_AMOUNT, Currency, EmailAddress, Line, Moment, Pattern, Word
from services.catalog.auth import AnyCaller
from services.catalog.orders.filters import OrderFilter, split_words
from services.catalog.orders.lists import only_owner
from services.catalog.orders.numbers import OrderNumber, parse_number
from services.catalog.statuses import OrderStatus

MAX_WORDS = 5


def _check_words(text: str) -> str:
    if not 1 <= len(split_words(text)) <= MAX_WORDS:
        raise ValueError(f"must have one to {MAX_WORDS} words")
    return text


AmountParam = Annotated[int | None, Query(ge=0, le=MAX_AMOUNT)]
CustomerId = Annotated[str, Pattern(r"^[\x21-\x7e]{1,64}$", "must be 1 to 64 ASCII characters without spaces")]
Words = Annotated[Line, AfterValidator(_check_words)]


def order_filter(
    caller: AnyCaller,
    status: Annotated[
        list[OrderStatus],
        Query(max_length=len(OrderStatus), description="Only orders with this status; repeat it for several"),
    ] = [],  # noqa: B006 -- FastAPI does not change it
    customer: Annotated[
        CustomerId | None,
        Query(
            description="Only orders that the account or program with this id placed: `customer_id` of an order. The customer of a program "
            "has an `external_id` instead"
        ),
    ] = None,
    email: Annotated[
        EmailAddress | None,
        Query(
            description="Only orders whose customer has this e-mail address: the account, or the customer of a program. "
            "Upper and lower case do not matter"
        ),
    ] = None,
    external_id: Annotated[
        Word | None, Query(description="Only orders that a program placed for its customer with this id")
    ] = None,
    product: Annotated[UUID | None, Query(description="Only orders that contain this product: its id")] = None,
    number: Annotated[OrderNumber | None, Query(description="Only the order with this number")] = None,
    from_: Annotated[
        Moment | None, Query(alias="from", description="Only orders that were placed at this time or later")
    ] = None,
    to: Annotated[Moment | None, Query(description="Only orders that were placed before this time")] = None,
    min_amount: Annotated[AmountParam, Query(description="Only orders of at least this amount, in subunits")] = None,
    max_amount: Annotated[AmountParam, Query(description="Only orders of at most this amount, in subunits")] = None,
    currency: Annotated[Currency | None, Query(description="Only orders in this currency")] = None,
    q: Annotated[
        Words | None,
        Query(
            description="Only orders that have all these words, or words that begin with them, in the order number or in the customer's "
            "name or e-mail address. At most five words"
        ),
    ] = None,
) -> OrderFilter:
    """Return the filters of a request. They also limit callers without the scope orders:read to their own orders."""
    number_in_q = None if q is None or number is not None else parse_number(q)
    return OrderFilter(
        owner=only_owner(caller),
        statuses=frozenset(status),
        customer=customer,
        email=email,
        external_id=external_id,
        product_id=product,
        number=number or number_in_q,
        since=from_,
        until=to,
        min_amount=min_amount,
        max_amount=max_amount,
        currency=currency,
        words=() if q is None or number_in_q is not None else split_words(q),
    )


OrderFilters = Annotated[OrderFilter, Depends(order_filter)]
