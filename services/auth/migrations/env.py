"""Entry point of Alembic. Imports the models of all folders, so that their tables are in the metadata."""

from kit.db.migrations import run
from services.auth.clients import models as _clients
from services.auth.models import Base
from services.auth.sessions import models as _sessions
from services.auth.throttling import models as _throttling

MODELS = (_clients, _sessions, _throttling)

run(Base.metadata)
