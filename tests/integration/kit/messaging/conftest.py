"""Fixtures of the tests of the consumer."""

import pytest
from pydantic import SecretStr

from contracts.events import PaymentSucceeded
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from tests.fixtures.kit_consumer import EVENTS, Handler, MakeConsumer
from tests.fixtures.kit_messaging import Broker, Sessions
from tests.fixtures.kit_tables import Inbox


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def consumer(sessions: Sessions, broker: Broker, handler: Handler, notifier: Notifier) -> MakeConsumer:
    def make(url: str = "", sessions: Sessions = sessions) -> Consumer[PaymentSucceeded]:
        target = SecretStr(url) if url else broker.url
        return Consumer(sessions, Inbox, target, broker.queue, EVENTS, handler, notifier)

    return make
