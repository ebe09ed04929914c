"""Amounts as people read them, and the table of currencies."""

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import (
    CURRENCY_RULES,
    CurrencyRule,
    country_rule,
    format_money,
    fraction_rule_broken_by,
    minimum_rule_broken_by,
    parse_money,
)
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


@given(st.integers(0, 10**9), st.sampled_from(sorted(CURRENCY_RULES)))
def test_only_xof_forbids_fractions(amount: int, currency: str) -> None:
    assert (fraction_rule_broken_by(amount, currency) is None) == (currency != "XOF" or amount % 100 == 0)


@pytest.mark.parametrize(("currency", "rule"), CURRENCY_RULES.items())
def test_the_minimum_is_the_smallest_payment_and_zero_is_free(currency: str, rule: CurrencyRule) -> None:
    assert minimum_rule_broken_by(rule.minimum, currency) is None
    assert minimum_rule_broken_by(0, currency) is None
    for too_small in (1, rule.minimum - 1):
        assert format_money(rule.minimum, currency) in (minimum_rule_broken_by(too_small, currency) or "")


def test_a_currency_without_rules_breaks_none() -> None:
    assert (fraction_rule_broken_by(1, "EUR"), minimum_rule_broken_by(1, "EUR"), country_rule("EUR")) == (None,) * 3


def test_the_country_rule_names_the_countries_of_the_accounts() -> None:
    assert country_rule("USD") == "USD can be accepted by Paystack accounts in Kenya and Nigeria in which it is enabled"


def test_the_table_of_currencies_in_the_documentation_is_the_table_that_is_enforced() -> None:
    text = (Path(__file__).parents[3] / "docs/integrating.md").read_text(encoding="utf-8")
    for currency, rule in CURRENCY_RULES.items():
        smallest = f"{rule.minimum} ({format_money(rule.minimum, currency)})"
        (row,) = re.findall(rf"^\| {currency} \| (.*) \|$", text, re.MULTILINE)
        assert row.startswith(smallest)
        assert row.endswith(f"| {', '.join(rule.countries)}")
        assert ("no fractions" in row) is not rule.has_fraction
