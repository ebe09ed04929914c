"""Amounts as people read them, and the table of currencies."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import CURRENCY_RULES, format_money, parse_money
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


@given(st.integers(0, 10**12), st.sampled_from(sorted(CURRENCY_RULES)))
def test_parse_money_reads_what_format_money_writes(amount: int, currency: str) -> None:
    if CURRENCY_RULES[currency].has_fraction or amount % 100 == 0:
        assert parse_money(format_money(amount, currency)) == (amount, currency)


def test_parse_money_needs_no_currency_if_there_is_a_fraction() -> None:
    assert parse_money("2500.00") == (250_000, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2500", "write 2500.00"),
        ("NGN 2500", "write 2500.00"),
        ("2500.5", "is not an amount"),
        ("2500.005", "is not an amount"),
        ("25,00.00", "is not an amount"),
        ("-1.00", "is not an amount"),
        ("1e3", "is not an amount"),
        ("٣.00", "is not an amount"),
        ("EUR 1.00", "is not a currency"),
        ("XOF 1.50", "has no fractions"),
        ("", "is not an amount"),
    ],
)
def test_parse_money_refuses_what_could_mean_something_else(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_money(text)
