"""Republish the events of catalog, if a queue was lost or an operator asks for it."""

from functools import partial

from kit.messaging.republish import Republish
from services.catalog.db import sessions
from services.catalog.fulfilment import undeliverable

republish: Republish = partial(undeliverable.republish, sessions)
"""Adds the events of a period to the outbox again."""
