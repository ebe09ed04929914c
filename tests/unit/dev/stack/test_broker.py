"""Which broker the services of a stack use, as the environment says."""

import pytest

from dev.process.program import NotStarted
from dev.stack.broker import BrokerUrls, given_urls

NAMES = ("AMQP_URL", "CATALOG_AMQP_URL", "PAYMENTS_AMQP_URL")


@pytest.fixture(autouse=True)
def no_broker_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def test_given_urls_when_no_broker_is_given_are_none() -> None:
    assert given_urls() is None


def test_every_service_has_the_url_of_the_administrator_when_no_other_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AMQP_URL", "amqp://admin")
    assert given_urls() == BrokerUrls("amqp://admin", dict.fromkeys(("auth", "catalog", "payments"), "amqp://admin"))


def test_given_urls_when_a_service_has_its_own_prefer_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMQP_URL", "amqp://admin")
    monkeypatch.setenv("PAYMENTS_AMQP_URL", "amqp://payments")
    assert given_urls() == BrokerUrls(
        "amqp://admin", {"auth": "amqp://admin", "catalog": "amqp://admin", "payments": "amqp://payments"}
    )


def test_given_urls_when_the_administrator_is_missing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_AMQP_URL", "amqp://catalog")
    with pytest.raises(NotStarted, match="CATALOG_AMQP_URL is set: set AMQP_URL too"):
        given_urls()
