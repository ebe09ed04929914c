"""Republish the events of auth, if a queue was lost or an operator asks for it."""

from functools import partial

from kit.messaging.republish import Republish
from services.auth.accounts import events
from services.auth.db import db_sessions

republish: Republish = partial(events.republish, db_sessions)
"""Adds the events of a period to the outbox again."""
