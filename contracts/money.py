"""The currencies of Paystack, and amounts as people read them. Sources: Paystack's documentation, "Supported currency" and "API basics"."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CurrencyRule:
    """`minimum`: the smallest payment, in subunits. `has_fraction`: False if Paystack ignores fractions of the unit."""

    minimum: int
    has_fraction: bool = True


SUBUNITS_PER_UNIT = 100
"""Paystack takes every amount times 100, also in currencies without a subunit."""

CURRENCY_RULES = {
    "NGN": CurrencyRule(minimum=5_000),
    "GHS": CurrencyRule(minimum=10),
    "ZAR": CurrencyRule(minimum=100),
    "KES": CurrencyRule(minimum=300),
    "USD": CurrencyRule(minimum=200),
    "XOF": CurrencyRule(minimum=100, has_fraction=False),
}


def format_money(amount: int, currency: str) -> str:
    """Return an amount of subunits as people read it: `NGN 44,000.00`, or `XOF 1,500` for a currency without a fraction."""
    sign = "-" if amount < 0 else ""
    units, rest = divmod(abs(amount), SUBUNITS_PER_UNIT)
    rule = CURRENCY_RULES.get(currency)
    fraction = f".{rest:02}" if rest or rule is None or rule.has_fraction else ""
    return f"{currency} {sign}{units:,}{fraction}"
