"""Alembic runs this file. Importing the models of a folder adds its tables to the metadata."""

import services.auth.accounts.models
import services.auth.clients.models
import services.auth.mail.models
import services.auth.sessions.models
import services.auth.throttling.models  # noqa: F401
from kit.db.migrations import run_migrations
from services.auth.models import Base

run_migrations(Base.metadata)
