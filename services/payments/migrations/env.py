from kit.db.migrations import run
from services.payments.models import Base

run(Base.metadata)
