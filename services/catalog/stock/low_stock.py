"""The number of variants with low stock, as a metric of the worker."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.counting import count_up_to
from kit.observability.measured_gauge import MeasuredGauge
from kit.worker.shutdown import Shutdown
from services.catalog.models import Product, Variant
from services.catalog.statuses import ProductStatus
from services.catalog.stock.levels import ORDERABLE
from services.catalog.stock.models import StockLevel

INTERVAL_SECONDS = 20.0
variants_low_stock = MeasuredGauge(
    "catalog_variants_low_stock", "Variants of active products with low stock or none, at most 10,000 are counted"
)


async def measure(session: AsyncSession) -> None:
    """Count the variants of active products whose stock is low or out."""
    low = (
        select(Product.id)
        .join(Variant, Variant.product_id == Product.id)
        .join(StockLevel, StockLevel.variant_id == Variant.id)
        .where(Product.status == ProductStatus.ACTIVE, Product.low_stock >= ORDERABLE)
    )
    variants_low_stock.set(await count_up_to(session, low))


async def keep_measuring(sessions: async_sessionmaker[AsyncSession], shutdown: Shutdown) -> None:
    """Measure until shutdown is requested."""
    while not shutdown.requested:
        async with sessions() as session:
            await measure(session)
        await shutdown.wait(INTERVAL_SECONDS)
