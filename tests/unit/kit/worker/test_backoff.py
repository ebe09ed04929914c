"""Pauses between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from kit.worker.backoff import Backoff

BACKOFF = Backoff(first=2.0, longest=60.0, jitter=0.2)


def test_pauses_double_until_the_longest() -> None:
    exact = Backoff(first=2.0, longest=60.0, jitter=0)
    assert [exact.seconds(pauses) for pauses in range(7)] == [2, 4, 8, 16, 32, 60, 60]


@given(st.integers(-5, 10**6), st.floats(0.001, 10), st.floats(10, 10**6), st.floats(0, 0.9))
def test_a_pause_is_positive_and_never_longer_than_the_longest(
    before: int, first: float, longest: float, jitter: float
) -> None:
    pause = Backoff(first, longest, jitter).seconds(before)
    assert 0 < pause <= longest * (1 + 1e-9)


@given(st.integers(0, 4))
def test_jitter_varies_a_pause_in_both_directions(before: int) -> None:
    mean = 2.0 * 2**before
    pauses = [BACKOFF.seconds(before) for _ in range(200)]
    assert mean * 0.8 <= min(pauses) < mean < max(pauses) <= mean * 1.2
