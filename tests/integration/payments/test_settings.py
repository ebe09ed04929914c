"""The settings of payments: secret keys of one mode only, prefixes of references, sources of webhooks."""

import pytest
from pydantic import ValidationError

from services.payments.settings import PaymentsSettings

TEST_KEY, LIVE_KEY = "sk_test_" + "a" * 24, "sk_live_" + "b" * 24


@pytest.mark.parametrize(("key", "previous"), [(LIVE_KEY, TEST_KEY), (TEST_KEY, LIVE_KEY)])
def test_settings_when_the_previous_key_is_of_another_mode_are_refused(
    monkeypatch: pytest.MonkeyPatch, key: str, previous: str
) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", key)
    monkeypatch.setenv("PAYSTACK_SECRET_KEY_PREVIOUS", previous)
    with pytest.raises(ValidationError, match="must have the same mode") as refused:
        PaymentsSettings()
    assert previous not in str(refused.value)
    assert refused.value.errors()[0]["loc"] == ("paystack_secret_key_previous",)


@pytest.mark.parametrize(
    ("key", "previous", "mode"), [(LIVE_KEY, "sk_live_" + "c" * 24, "live"), (TEST_KEY, "", "test")]
)
def test_settings_when_a_key_is_rotated_have_its_mode(
    monkeypatch: pytest.MonkeyPatch, key: str, previous: str, mode: str
) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", key)
    monkeypatch.setenv("PAYSTACK_SECRET_KEY_PREVIOUS", previous)
    assert PaymentsSettings().mode == mode


@pytest.mark.parametrize("prefix", ["_", "pay_", "-pay", "a" * 21, "pay.", "päy-", "pay -"])
def test_settings_when_a_reference_prefix_is_invalid_are_refused(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("PAYMENTS_REFERENCE_PREFIXES_PREVIOUS", f"pay-,{prefix}")
    with pytest.raises(ValidationError, match="letters, digits and hyphens"):
        PaymentsSettings()
    monkeypatch.delenv("PAYMENTS_REFERENCE_PREFIXES_PREVIOUS")
    monkeypatch.setenv("PAYMENTS_REFERENCE_PREFIX", prefix)
    with pytest.raises(ValidationError, match="letters, digits and hyphens"):
        PaymentsSettings()


@pytest.mark.parametrize(
    "sources", ["paystack.com", "everybody", "10.0.0.1/24", "52.31.139", "any,paystack", "paystack any"]
)
def test_settings_when_a_source_of_webhooks_is_unknown_are_refused(
    monkeypatch: pytest.MonkeyPatch, sources: str
) -> None:
    monkeypatch.setenv("PAYMENTS_WEBHOOK_SOURCES", sources)
    with pytest.raises(ValidationError, match=r"must be `(paystack|any)`") as refused:
        PaymentsSettings()
    assert refused.value.errors()[0]["loc"] == ("payments_webhook_sources",)


def test_settings_of_the_sources_of_webhooks_are_words_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTS_WEBHOOK_SOURCES", " paystack , 10.0.0.0/24,2001:db8::1 ")
    assert PaymentsSettings().payments_webhook_sources == ["paystack", "10.0.0.0/24", "2001:db8::1"]
    monkeypatch.setenv("PAYMENTS_WEBHOOK_SOURCES", "")
    assert PaymentsSettings().payments_webhook_sources == []
