"""The amount gate as a rule: what pays for an order and what does not, to the subunit."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.payments.mode import Mode
from services.payments.paystack.charge import Charge
from services.payments.settlement.rules import check_amount

AMOUNTS = st.integers(1, 10**9)
FEES = st.none() | st.integers(0, 10**7)


def paid(amount: int, **changes: Any) -> Charge:
    return Charge(
        **{"reference": "r", "status": "success", "amount": amount, "currency": "NGN", "domain": "test", **changes}
    )


@given(AMOUNTS, FEES)
def test_the_amount_itself_passes(amount: int, fees: int | None) -> None:
    assert check_amount(amount, "NGN", paid(amount, fees=fees), Mode.TEST) is None
    assert check_amount(amount, "NGN", paid(amount, fees=fees, requested_amount=amount), Mode.TEST) is None


@given(AMOUNTS, st.integers(0, 10**7))
def test_fees_on_top_pass_where_our_amount_was_requested(amount: int, fees: int) -> None:
    charge = paid(amount + fees, fees=fees, requested_amount=amount)
    assert check_amount(amount, "NGN", charge, Mode.TEST) is None


@given(AMOUNTS, st.integers(-(10**9), 10**9), FEES)
def test_any_other_amount_is_held(amount: int, difference: int, fees: int | None) -> None:
    assume(difference != 0 and difference != (fees or 0) and amount + difference >= 0)
    for requested in (None, amount, amount + difference):
        charge = paid(amount + difference, fees=fees, requested_amount=requested)
        assert check_amount(amount, "NGN", charge, Mode.TEST) == "amount_differs"


@given(AMOUNTS, st.integers(1, 10**7))
def test_fees_do_not_excuse_an_amount_that_we_never_asked_for(amount: int, fees: int) -> None:
    assert check_amount(amount, "NGN", paid(amount + fees, fees=fees), Mode.TEST) == "amount_differs"
    assert (
        check_amount(amount, "NGN", paid(amount + fees, fees=fees, requested_amount=amount + fees), Mode.TEST)
        == "amount_differs"
    )
    assert (
        check_amount(amount, "NGN", paid(amount - 1, fees=fees, requested_amount=amount), Mode.TEST) == "amount_differs"
    )


@given(AMOUNTS)
def test_one_subunit_decides(amount: int) -> None:
    assert check_amount(amount, "NGN", paid(amount + 1), Mode.TEST) == "amount_differs"
    assert check_amount(amount, "NGN", paid(amount - 1), Mode.TEST) == "amount_differs"


@given(AMOUNTS, st.text(max_size=5), FEES)
def test_no_other_currency_passes(amount: int, currency: str, fees: int | None) -> None:
    assume(currency != "NGN")
    assert check_amount(amount, "NGN", paid(amount, currency=currency, fees=fees), Mode.TEST) == "currency_differs"


@given(AMOUNTS, st.text(max_size=5))
def test_no_other_mode_passes(amount: int, domain: str) -> None:
    assume(domain != "test")
    assert check_amount(amount, "NGN", paid(amount, domain=domain), Mode.TEST) == "mode_differs"


@pytest.mark.parametrize("status", ["success", "failed", "reversed"])
def test_the_gate_looks_at_money_not_at_words(status: str) -> None:
    assert check_amount(5, "NGN", paid(5, status=status), Mode.TEST) is None
