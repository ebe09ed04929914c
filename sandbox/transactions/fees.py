"""Paystack's fees for local card payments, by currency.

These are the published rates without VAT. The rounding is not published; the sandbox rounds half up. All amounts in subunits.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tariff:
    country: str
    basis_points: int
    flat: int = 0
    flat_from: int = 0
    """Below this amount, the flat fee is waived."""
    cap: int | None = None

    def fee(self, amount: int) -> int:
        share = (amount * self.basis_points + 5_000) // 10_000
        fee = share + (self.flat if amount >= self.flat_from else 0)
        return fee if self.cap is None else min(fee, self.cap)


TARIFFS = {
    "NGN": Tariff("NG", 150, flat=10_000, flat_from=250_000, cap=200_000),
    "GHS": Tariff("GH", 195),
    "KES": Tariff("KE", 290),
    "ZAR": Tariff("ZA", 290, flat=100),
    "XOF": Tariff("CI", 320),
    "EGP": Tariff("EG", 270, flat=250),
    "RWF": Tariff("RW", 290),
    "USD": Tariff("NG", 390),
}
"""Currencies that the sandbox accepts. A real account accepts the currency of its country, and some accounts USD too."""


def calculate_fees(amount: int, currency: str) -> int | None:
    """Return the fees in subunits, never more than `amount`; None for a currency without a tariff."""
    tariff = TARIFFS.get(currency)
    return None if tariff is None else min(tariff.fee(amount), amount)
