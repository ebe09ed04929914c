"""The amount check as a rule: what pays for an order, to the subunit."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.payments.mode import Mode
from services.payments.paystack.charge import Charge
from services.payments.settlement import rules

AMOUNTS = st.integers(1, 10**9)
FEES = st.none() | st.integers(0, 10**7)


def paid(amount: int, **changes: Any) -> Charge:
    return Charge(
        **{"reference": "r", "status": "success", "amount": amount, "currency": "NGN", "domain": "test", **changes}
    )


def check(amount: int, charge: Charge) -> str | None:
    return rules.find_mismatch(amount, "NGN", charge, Mode.TEST)


@given(AMOUNTS, FEES)
def test_check_amount_when_the_amount_itself_is_paid_passes(amount: int, fees: int | None) -> None:
    assert check(amount, paid(amount, fees=fees)) is None
    assert check(amount, paid(amount, fees=fees, requested_amount=amount)) is None


@given(AMOUNTS, st.integers(0, 10**7))
def test_check_amount_when_fees_come_on_top_of_the_requested_amount_passes(amount: int, fees: int) -> None:
    assert check(amount, paid(amount + fees, fees=fees, requested_amount=amount)) is None


@given(AMOUNTS, st.integers(-(10**9), 10**9), FEES)
def test_check_amount_when_any_other_amount_is_paid_differs(amount: int, difference: int, fees: int | None) -> None:
    assume(difference != 0 and difference != (fees or 0) and amount + difference >= 0)
    for requested in (None, amount, amount + difference):
        charge = paid(amount + difference, fees=fees, requested_amount=requested)
        assert check(amount, charge) == "amount_differs"


@given(AMOUNTS, st.integers(1, 10**7))
def test_check_amount_when_fees_come_on_top_of_another_amount_differs(amount: int, fees: int) -> None:
    assert check(amount, paid(amount + fees, fees=fees)) == "amount_differs"
    assert check(amount, paid(amount + fees, fees=fees, requested_amount=amount + fees)) == "amount_differs"
    assert check(amount, paid(amount - 1, fees=fees, requested_amount=amount)) == "amount_differs"


@given(AMOUNTS)
def test_check_amount_when_one_subunit_is_missing_or_too_many_differs(amount: int) -> None:
    assert check(amount, paid(amount + 1)) == "amount_differs"
    assert check(amount, paid(amount - 1)) == "amount_differs"


@given(AMOUNTS, st.text(max_size=5), FEES)
def test_check_amount_when_the_currency_is_another_differs(amount: int, currency: str, fees: int | None) -> None:
    assume(currency != "NGN")
    assert check(amount, paid(amount, currency=currency, fees=fees)) == "currency_differs"


@given(AMOUNTS, st.text(max_size=5))
def test_check_amount_when_the_mode_is_another_differs(amount: int, domain: str) -> None:
    assume(domain != "test")
    assert check(amount, paid(amount, domain=domain)) == "mode_differs"


@pytest.mark.parametrize("status", ["success", "failed", "reversed"])
def test_check_amount_whatever_the_status_looks_at_the_money_only(status: str) -> None:
    assert check(5, paid(5, status=status)) is None
