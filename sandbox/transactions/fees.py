"""What Paystack keeps of a local card payment, by the country of its currency.

Published rates without VAT; the rounding is not published, half up is ours. All amounts in subunits.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tariff:
    country: str
    basis_points: int
    flat: int = 0
    flat_from: int = 0
    """The flat part is waived below this amount."""
    cap: int | None = None

    def of(self, amount: int) -> int:
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
"""Every currency that the sandbox takes; a real account takes that of its country and perhaps USD."""


def fees(amount: int, currency: str) -> int | None:
    """Subunits kept of `amount`, never more than the amount; None when the currency has no tariff."""
    tariff = TARIFFS.get(currency)
    return None if tariff is None else min(tariff.of(amount), amount)
