"""Order numbers: short and random, so that they can be read out on the phone and do not tell how many orders a shop has.

A number such as `7K3M-9QXQ` has seven random characters and a check character. The alphabet has 31 characters, without 0, 1, I, L and O,
which are mistaken for each other. 31 is a prime number, so the check character detects every wrong character and every two exchanged ones.
"""

import re
import secrets
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, StringConstraints
from sqlalchemy import ColumnElement

from kit.fields import DocumentedPattern
from services.catalog.order_models import Order
from services.catalog.orders.errors import OrderNotFound

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 8
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def new_number() -> str:
    """Return a random order number, one of 27,512,614,111."""
    return _with_check_character("".join(secrets.choice(ALPHABET) for _ in range(LENGTH - 1)))


def parse_number(text: str) -> str | None:
    """Return the order number in its usual form, or None if the text is no valid order number.

    Lower case and other separators are accepted. A number with one wrong character or with two exchanged characters is not valid.
    """
    characters = re.sub(r"[\s.\-]", "", text).upper()
    if len(characters) != LENGTH or not _VALUES.keys() >= set(characters):
        return None
    number = _with_check_character(characters[:-1])
    return number if number[-1] == characters[-1] else None


def _with_check_character(characters: str) -> str:
    """Return the number: its characters, multiplied by 2, 3, … 8, and the check character add up to a multiple of 31."""
    total = sum(weight * _VALUES[character] for weight, character in enumerate(characters, start=2))
    number = characters + ALPHABET[-total % len(ALPHABET)]
    return f"{number[: LENGTH // 2]}-{number[LENGTH // 2 :]}"


_CHARACTERS = "[2-9A-HJKMNP-Za-hjkmnp-z]{4}"
_ID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _check_number(text: str) -> str:
    number = parse_number(text)
    if number is None:
        raise ValueError("must be an order number such as 7K3M-9QXQ; compare it character by character")
    return number


OrderNumber = Annotated[
    str,
    StringConstraints(max_length=20),
    AfterValidator(_check_number),
    DocumentedPattern(rf"^{_CHARACTERS}-?{_CHARACTERS}$"),
]
"""An order number in a request."""


def _check_id_or_number(text: str) -> str:
    if re.fullmatch(rf"{_ID}|{_CHARACTERS}-?{_CHARACTERS}", text) is None:
        raise ValueError("must be the id of an order, or its number such as 7K3M-9QXQ")
    return text


OrderIdOrNumber = Annotated[
    str, AfterValidator(_check_id_or_number), DocumentedPattern(rf"^({_ID}|{_CHARACTERS}-?{_CHARACTERS})$")
]
"""The id of an order, or its number."""


def has_id_or_number(id_or_number: str) -> ColumnElement[bool]:
    """Return the condition for the order with this id or this number.

    Raises OrderNotFound if no order can have the number, because its check character is wrong.
    """
    if re.fullmatch(_ID, id_or_number):
        return Order.id == UUID(id_or_number)
    number = parse_number(id_or_number)
    if number is None:
        raise OrderNotFound(
            f"No order has the number {id_or_number}: one of its characters is wrong, or two are exchanged. "
            "Compare it character by character."
        )
    return Order.number == number
