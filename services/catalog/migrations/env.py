import services.catalog.fulfilment.models  # noqa: F401
from kit.db.migrations import run
from services.catalog.models import Base

run(Base.metadata)
