"""Amounts as people read them, and the table of currencies."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import CURRENCY_RULES, format_money
from kit.fields import Currency


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (4_400_000, "NGN", "NGN 44,000.00"),
        (200, "NGN", "NGN 2.00"),
        (5, "GHS", "GHS 0.05"),
        (0, "USD", "USD 0.00"),
        (-123_456, "KES", "KES -1,234.56"),
        (150_000, "XOF", "XOF 1,500"),
        (150_001, "XOF", "XOF 1,500.01"),
        (100, "EUR", "EUR 1.00"),
    ],
)
def test_format_money_writes_units_with_a_fraction_unless_the_currency_has_none(
    amount: int, currency: str, text: str
) -> None:
    assert format_money(amount, currency) == text


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(CURRENCY_RULES)))
def test_formatted_money_contains_every_subunit(amount: int, currency: str) -> None:
    code, number = format_money(amount, currency).split(" ")
    units, _, fraction = number.replace(",", "").partition(".")
    assert (code, int(f"{units}{fraction or '00'}")) == (currency, amount)


def test_every_currency_that_we_accept_has_a_rule() -> None:
    assert set(CURRENCY_RULES) == set(get_args(Currency))
