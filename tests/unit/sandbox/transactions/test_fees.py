import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.transactions.fees import TARIFFS, calculate_fees


@pytest.mark.parametrize(
    ("amount", "currency", "fee"),
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
def test_fee_of_an_amount_follows_the_published_rate(amount: int, currency: str, fee: int | None) -> None:
    assert calculate_fees(amount, currency) == fee


@given(st.integers(1, 10**9), st.sampled_from(sorted(TARIFFS)))
def test_fee_of_any_amount_is_at_most_the_amount_and_the_cap(amount: int, currency: str) -> None:
    fee, cap = calculate_fees(amount, currency), TARIFFS[currency].cap
    assert fee is not None
    assert 0 <= fee <= amount
    assert cap is None or fee <= cap


@given(st.integers(1, 10**9), st.integers(0, 10**6), st.sampled_from(sorted(TARIFFS)))
def test_fee_of_a_larger_amount_is_never_smaller(amount: int, more: int, currency: str) -> None:
    less, larger = calculate_fees(amount, currency), calculate_fees(amount + more, currency)
    assert less is not None
    assert larger is not None
    assert less <= larger
