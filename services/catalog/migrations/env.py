import services.catalog.customers.models
import services.catalog.fulfilment.models
import services.catalog.order_models
import services.catalog.orders.models
import services.catalog.products.models
import services.catalog.search.models
import services.catalog.stock.models  # noqa: F401
from kit.db.migrations import run_migrations
from services.catalog.models import Base

run_migrations(Base.metadata)
