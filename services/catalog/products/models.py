"""Tables that only products use."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from services.catalog.models import Base


class OldSlug(Base):
    """A slug that a product had before. Links with it are redirected, unless another product has the slug now."""

    __tablename__ = "old_slugs"
    __table_args__ = (Index(None, "product_id"),)

    slug: Mapped[str] = mapped_column(primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
