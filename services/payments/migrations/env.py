import services.payments.cards.models
import services.payments.customers.models
import services.payments.holds.models
import services.payments.ledger.models
import services.payments.refunds.models
import services.payments.rejected_transfers.models
import services.payments.unrelated_charges.models
import services.payments.webhooks.models  # noqa: F401
from kit.db.migrations import run_migrations
from services.payments.models import Base

run_migrations(Base.metadata)
