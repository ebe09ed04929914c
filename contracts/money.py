"""The currencies of Paystack, and amounts as people read them. Sources: Paystack's documentation, "Supported currency" and "API basics"."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CurrencyRule:
    """`minimum`: the smallest payment, in subunits. `countries`: where a Paystack account can accept the currency.

    `has_fraction`: False if Paystack ignores fractions of the unit.
    """

    minimum: int
    countries: tuple[str, ...]
    has_fraction: bool = True


SUBUNITS_PER_UNIT = 100
"""Paystack takes every amount times 100, also in currencies without a subunit."""

CURRENCY_RULES = {
    "NGN": CurrencyRule(minimum=5_000, countries=("Nigeria",)),
    "GHS": CurrencyRule(minimum=10, countries=("Ghana",)),
    "ZAR": CurrencyRule(minimum=100, countries=("South Africa",)),
    "KES": CurrencyRule(minimum=300, countries=("Kenya",)),
    "USD": CurrencyRule(minimum=200, countries=("Kenya", "Nigeria")),
    "XOF": CurrencyRule(minimum=100, countries=("Côte d'Ivoire",), has_fraction=False),
}


def fraction_rule_broken_by(amount: int, currency: str) -> str | None:
    """Return the rule about fractions that an amount of subunits breaks, as a sentence without a full stop, or None."""
    rule = CURRENCY_RULES.get(currency)
    if rule is None or rule.has_fraction or amount % SUBUNITS_PER_UNIT == 0:
        return None
    return f"{currency} has no fractions: an amount must be a multiple of {SUBUNITS_PER_UNIT} subunits, and {amount} is not"


def minimum_rule_broken_by(amount: int, currency: str) -> str | None:
    """Return the rule about the smallest payment that an amount of subunits breaks, or None. Zero breaks none: nothing has to be paid."""
    rule = CURRENCY_RULES.get(currency)
    if rule is None or amount == 0 or amount >= rule.minimum:
        return None
    return f"the smallest payment in {currency} is {format_money(rule.minimum, currency)}, and this is {format_money(amount, currency)}"


def country_rule(currency: str) -> str | None:
    """Return the sentence that says which Paystack accounts can accept a currency, or None for an unknown currency."""
    rule = CURRENCY_RULES.get(currency)
    if rule is None:
        return None
    return f"{currency} can be accepted by Paystack accounts in {' and '.join(rule.countries)} in which it is enabled"


def format_money(amount: int, currency: str) -> str:
    """Return an amount of subunits as people read it: `NGN 44,000.00`, or `XOF 1,500` for a currency without a fraction."""
    sign = "-" if amount < 0 else ""
    units, rest = divmod(abs(amount), SUBUNITS_PER_UNIT)
    rule = CURRENCY_RULES.get(currency)
    fraction = f".{rest:02}" if rest or rule is None or rule.has_fraction else ""
    return f"{currency} {sign}{units:,}{fraction}"


TYPED_MONEY = re.compile(
    r"(?:(?P<currency>[A-Z]{3}) )?(?P<units>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12})(?:\.(?P<fraction>[0-9]{2}))?"
)


def parse_money(text: str) -> tuple[int, str | None]:
    """Return the subunits and the currency, if it is there, of an amount that a person typed: `2500.00` or `NGN 2,500.00`.

    Raises ValueError. An amount without a fraction needs its currency: `2500` could mean units or subunits.
    """
    found = TYPED_MONEY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:50]} is not an amount such as 2500.00 or NGN 2,500.00")
    currency, fraction = found["currency"], found["fraction"]
    if currency is not None and currency not in CURRENCY_RULES:
        raise ValueError(f"{currency} is not a currency that Paystack accepts")
    if fraction is None and (currency is None or CURRENCY_RULES[currency].has_fraction):
        raise ValueError(f"write {found['units']}.00, so that nobody can take the amount for subunits")
    if currency is not None and not CURRENCY_RULES[currency].has_fraction and fraction not in {None, "00"}:
        raise ValueError(f"{currency} has no fractions")
    return int(found["units"].replace(",", "")) * SUBUNITS_PER_UNIT + int(fraction or 0), currency
