import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.transactions.fees import TARIFFS, fees
from tests.sandbox.rubbish import patiently


@pytest.mark.parametrize(
    ("amount", "currency", "kept"),
    [
        (249_999, "NGN", 3_750),  # the flat 100 naira are waived below 2,500 naira
        (250_000, "NGN", 13_750),
        (500_000, "NGN", 17_500),
        (12_666_600, "NGN", 199_999),
        (12_666_700, "NGN", 200_000),
        (10**9, "NGN", 200_000),
        (10_000, "GHS", 195),
        (10_000, "KES", 290),
        (10_000, "ZAR", 390),
        (10_000, "XOF", 320),
        (10_000, "USD", 390),
        (1, "ZAR", 1),
        (10_000, "JPY", None),
    ],
)
def test_published_rates(amount: int, currency: str, kept: int | None) -> None:
    assert fees(amount, currency) == kept


@patiently
@given(st.integers(1, 10**9), st.sampled_from(sorted(TARIFFS)))
def test_a_fee_is_part_of_the_amount_and_never_above_the_cap(amount: int, currency: str) -> None:
    kept, cap = fees(amount, currency), TARIFFS[currency].cap
    assert kept is not None
    assert 0 <= kept <= amount
    assert cap is None or kept <= cap


@patiently
@given(st.integers(1, 10**9), st.integers(0, 10**6), st.sampled_from(sorted(TARIFFS)))
def test_more_money_never_costs_less(amount: int, more: int, currency: str) -> None:
    less, larger = fees(amount, currency), fees(amount + more, currency)
    assert less is not None
    assert larger is not None
    assert less <= larger
