"""When a key is published, signs and expires, for any sequence of rotations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.tokens import MAX_LIFETIME_SECONDS
from services.auth.keys.schedule import RETIREMENT_SECONDS, KeyState, key_states

NEXT, SIGNING, RETIRED, EXPIRED = KeyState


@pytest.mark.parametrize(
    ("created", "now", "states"),
    [
        ([], 0, []),
        ([0], 0, [SIGNING]),
        ([0, 100], 100, [SIGNING, NEXT]),
        ([0, 100], 159, [SIGNING, NEXT]),
        ([0, 100], 160, [RETIRED, SIGNING]),
        ([0, 100, 110], 165, [RETIRED, SIGNING, NEXT]),
        ([0, 100], 159 + RETIREMENT_SECONDS, [RETIRED, SIGNING]),
        ([0, 100], 160 + RETIREMENT_SECONDS, [EXPIRED, SIGNING]),
        ([0, 100, 9000], 9000, [EXPIRED, SIGNING, NEXT]),
    ],
)
def test_key_states_with_an_activation_time_of_sixty_seconds(
    created: list[float], now: float, states: list[KeyState]
) -> None:
    assert key_states(created, now, 60) == states


TIMES = st.integers(0, 40_000)


@given(st.lists(TIMES, min_size=1, max_size=8, unique=True).map(sorted), TIMES, st.integers(15, 20_000), st.data())
def test_the_key_of_every_valid_token_is_published_and_was_published_before_it_signed(
    created: list[int], signed_at: int, activation: int, data: st.DataObject
) -> None:
    signed_at = max(signed_at, created[0])
    existing = [time for time in created if time <= signed_at]
    signing = key_states(existing, signed_at, activation).index(SIGNING)
    assert signing == 0 or existing[signing] + activation <= signed_at
    verified_at = data.draw(st.integers(signed_at, signed_at + MAX_LIFETIME_SECONDS + 30))
    later = [time for time in created if time <= verified_at]
    assert key_states(later, verified_at, activation)[signing] is not EXPIRED
