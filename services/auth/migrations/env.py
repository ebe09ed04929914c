"""Alembic's way in."""

from kit.db.migrations import run
from services.auth.models import Base

run(Base.metadata)
