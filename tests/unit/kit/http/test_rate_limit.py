"""Token buckets."""

import pytest

from kit.http.rate_limit import TokenBuckets, TooManyRequests


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(buckets: TokenBuckets, key: str, count: int) -> int:
    """Return how many of `count` tokens could be taken."""
    found = 0
    for _ in range(count):
        try:
            buckets.take(key)
        except TooManyRequests:
            continue
        found += 1
    return found


def test_bucket_gives_the_limit_at_once_and_then_as_many_a_minute() -> None:
    clock = Clock()
    buckets = TokenBuckets(60, clock=clock)
    assert taken(buckets, "a", 200) == 60
    assert taken(buckets, "b", 1) == 1
    clock.now = 10
    assert taken(buckets, "a", 200) == 10
    clock.now = 10_000
    assert taken(buckets, "a", 200) == 60


@pytest.mark.parametrize(("per_minute", "wait"), [(60, "1"), (1, "60"), (7, "9"), (100_000, "1")])
def test_error_says_when_the_next_token_is_there(per_minute: int, wait: str) -> None:
    clock = Clock()
    buckets = TokenBuckets(per_minute, clock=clock)
    taken(buckets, "a", per_minute)
    with pytest.raises(TooManyRequests) as error:
        buckets.take("a")
    assert error.value.headers["Retry-After"] == wait
    clock.now = float(wait)
    buckets.take("a")


def test_number_of_buckets_has_a_limit() -> None:
    clock = Clock()
    buckets = TokenBuckets(1, size=3, clock=clock)
    for key in "abc":
        buckets.take(key)
    assert taken(buckets, "a", 1) == 0
    buckets.take("d")
    assert taken(buckets, "a", 1) == 0, "the bucket that was not used for the longest time is forgotten: that of b"
    assert taken(buckets, "b", 1) == 1
