"""The limits of the settings of signing keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kit.jwks import FETCH_INTERVAL_SECONDS, FETCH_TIMEOUT_SECONDS
from services.auth.keys.key_ring import RELOAD_SECONDS
from services.auth.keys.schedule import cache_seconds
from services.auth.settings import MIN_ACTIVATION_SECONDS, AuthSettings


@given(st.integers(MIN_ACTIVATION_SECONDS, 604_800))
def test_a_verifier_that_respects_max_age_has_every_key_before_it_signs(activation: int) -> None:
    assert 0 < cache_seconds(activation) < activation - RELOAD_SECONDS


def test_activation_time_when_shorter_than_our_services_need_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = FETCH_INTERVAL_SECONDS + FETCH_TIMEOUT_SECONDS + RELOAD_SECONDS
    assert needed <= MIN_ACTIVATION_SECONDS
    assert AuthSettings().auth_key_activation_seconds == 7500
    monkeypatch.setenv("AUTH_KEY_ACTIVATION_SECONDS", "14")
    with pytest.raises(ValidationError, match="auth_key_activation_seconds"):
        AuthSettings()
