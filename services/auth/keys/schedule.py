"""The states of signing keys, which are pure functions of the times at which the keys were created.

A new key is published at once and signs after the activation time, so that every verifier has fetched it by then. The first key signs at
once. A key that does not sign any more stays published until the last token that it signed has expired.
"""

from collections.abc import Sequence
from enum import StrEnum

from contracts.tokens import MAX_LIFETIME_SECONDS

CLOCK_DIFFERENCE_SECONDS = 60
"""The clocks of auth's processes and of the verifiers differ by less than this."""

RETIREMENT_SECONDS = MAX_LIFETIME_SECONDS + CLOCK_DIFFERENCE_SECONDS
"""How long a key stays published after it signed for the last time. It does not depend on the lifetime that is configured now, because the
last token may have been signed under a longer one."""

MAX_CACHE_SECONDS = 300
"""The longest max-age of the JWKS. When a key is deleted after a leak, verifiers that respect max-age accept it for at most this long."""


class KeyState(StrEnum):
    NEXT = "next"
    """Published, signs later."""

    SIGNING = "signing"
    """Signs new tokens."""

    RETIRED = "retired"
    """Published, because tokens that it signed may still be valid."""

    EXPIRED = "expired"
    """Not published: all tokens that it signed have expired."""


def key_states(created: Sequence[float], now: float, activation_seconds: float) -> list[KeyState]:
    """Return the state of each key. `created`: when the keys were created, oldest first; all times in seconds since the epoch."""
    active = [index for index, created_at in enumerate(created) if created_at + activation_seconds <= now]
    signing = active[-1] if active else 0
    states = []
    for index in range(len(created)):
        if index > signing:
            states.append(KeyState.NEXT)
        elif index == signing:
            states.append(KeyState.SIGNING)
        elif created[index + 1] + activation_seconds + RETIREMENT_SECONDS > now:
            states.append(KeyState.RETIRED)
        else:
            states.append(KeyState.EXPIRED)
    return states


def cache_seconds(activation_seconds: int) -> int:
    """Return the max-age of the JWKS. A verifier that respects it fetches the JWKS at least twice before a new key signs."""
    return min(MAX_CACHE_SECONDS, activation_seconds // 2)
