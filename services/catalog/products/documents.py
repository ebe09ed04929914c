"""Products as JSON, which Postgres writes: no value of a row becomes a Python object. `ProductView` is the schema of this JSON."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, FromClause, Select, Text, case, cast, func, literal_column, select, true
from sqlalchemy.orm import InstrumentedAttribute

from kit.db.sql_types import AnyColumn, AnySelect
from services.catalog.models import Product, ProductTag, Tag
from services.catalog.products.filters import SELECT_ORDERABLE
from services.catalog.statuses import Availability, ProductStatus

ISO_8601 = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
# The name is a subquery, because otherwise Postgres would join the rows of product_tags with all tags.
_name = select(Tag.name).where(Tag.id == ProductTag.tag_id).correlate(ProductTag).scalar_subquery()
TAGS = func.array(
    select(_name)
    .select_from(ProductTag)
    .where(ProductTag.product_id == Product.id)
    .order_by(ProductTag.position)
    .correlate(Product)
    .scalar_subquery(),
    type_=ARRAY(Text),
)


def _utc(moment: InstrumentedAttribute[datetime]) -> ColumnElement[str]:
    return func.to_char(func.timezone(literal_column("'UTC'"), moment), literal_column(f"'{ISO_8601}'"), type_=Text)


# A lateral subquery, so that Postgres computes the number once for each row.
_stock = SELECT_ORDERABLE.lateral("stock")
_orderable = _stock.c.orderable
_document = (
    select(
        Product.id,
        Product.slug,
        Product.name,
        Product.description,
        Product.status,
        Product.kind,
        Product.price,
        Product.currency,
        case(
            (_orderable <= literal_column("0"), literal_column(f"'{Availability.OUT}'")),
            (_orderable <= Product.low_stock, literal_column(f"'{Availability.LOW}'")),
            else_=literal_column(f"'{Availability.IN_STOCK}'"),
        ).label("availability"),
        Product.low_stock,
        Product.category_id,
        TAGS.label("tags"),
        Product.media,
        Product.options,
        Product.version,
        _utc(Product.created_at).label("created_at"),
        _utc(Product.updated_at).label("updated_at"),
    )
    .correlate(Product, _stock)
    .lateral("document")
)
DOCUMENT = cast(func.row_to_json(_document.table_valued()), Text)
"""The JSON of a product, without `stock`: orders do not change it while its availability is the same."""


class ProductDocument(NamedTuple):
    """A row of `select_documents`. `orderable`: how many units can be ordered; None means unlimited."""

    id: UUID
    slug: str
    status: ProductStatus
    version: int
    updated_at: datetime
    orderable: int | None
    document: str

    def json(self, *, with_stock: bool) -> str:
        """Return the JSON of the product."""
        return add_stock(self.document, self.orderable) if with_stock else self.document


def select_documents(
    *conditions: ColumnElement[bool],
) -> Select[UUID, str, ProductStatus, int, datetime, int | None, str]:
    """Return the statement that selects products as JSON."""
    columns = (
        Product.id,
        Product.slug,
        Product.status,
        Product.version,
        Product.updated_at,
        _orderable,
        DOCUMENT.label("document"),
    )
    joined = select(*columns).select_from(Product).join(_stock, true()).join(_document, true())
    return joined.where(*conditions)


def select_page(joined: FromClause, *columns: AnyColumn) -> AnySelect:
    """Return the statement that selects these columns and the products as JSON, from a join of a page with products.

    A row of the page without a product has a document too: `Product.id` is NULL then.
    """
    selected = select(Product.id, _orderable.label("orderable"), DOCUMENT.label("document"), *columns).select_from(
        joined
    )
    return selected.outerjoin(_stock, true()).outerjoin(_document, true())


def add_stock(document: str, orderable: int | None) -> str:
    """Add the number of units that can be ordered to the JSON of a product, as `stock`."""
    return f'{document[:-1]},"stock":{"null" if orderable is None else orderable}}}'


def page_json(documents: Sequence[str], next_cursor: str | None, more: Mapping[str, object]) -> bytes:
    """Return a page of products with the fields `more`. The cursor needs no escaping in JSON."""
    cursor = "null" if next_cursor is None else f'"{next_cursor}"'
    fields = "".join(f',"{name}":{json.dumps(value)}' for name, value in more.items())
    return f'{{"items":[{",".join(documents)}],"next_cursor":{cursor}{fields}}}'.encode()
