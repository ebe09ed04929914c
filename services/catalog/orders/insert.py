"""Insert an order with its items and the response to its idempotency key in one statement, because each round trip to the database takes
time."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import ColumnElement, Text, bindparam, cast, select, true
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import array_parameters, array_values, table_of
from kit.db.driver import DriverStatement
from kit.idempotency.keys import IdempotentRequest
from services.catalog.models import IdempotencyKey
from services.catalog.order_models import Order, OrderItem
from services.catalog.orders.schemas import OrderView

ORDERS, ITEMS, KEYS = table_of(Order), table_of(OrderItem), table_of(IdempotencyKey)
CREATED = 201


async def insert_order(
    session: AsyncSession,
    order: Mapping[str, object],
    items: Sequence[Mapping[str, object]],
    idempotent: IdempotentRequest | None,
    view: OrderView,
) -> bool:
    """Insert a row of `orders`, its rows of `order_items` without their order_id, and the row of the idempotency key, if there is one.

    `view` is the response that is stored with the key. Return False, and insert nothing, if another order has the number.
    """
    parameters = {f"order_{name}": value for name, value in order.items()}
    parameters |= array_values(**{name: [item[name] for item in items] for name in items[0]})
    if idempotent is not None:
        parameters |= {
            f"key_{name}": getattr(idempotent, name) for name in ("caller", "operation", "key", "fingerprint")
        }
        parameters |= {"key_status": CREATED, "key_body": view.model_dump_json()}
    statement = _statement(tuple(order), tuple(items[0]), idempotent is not None)
    return bool(await statement.fetch(session, **parameters))


@lru_cache(maxsize=8)
def _statement(order_columns: tuple[str, ...], item_columns: tuple[str, ...], with_key: bool) -> DriverStatement:
    values = {name: bindparam(f"order_{name}", type_=ORDERS.c[name].type) for name in order_columns}
    new = insert(ORDERS).values(values).on_conflict_do_nothing(index_elements=[ORDERS.c.number])
    new_order = new.returning(ORDERS.c.id).cte("new_order")
    rows = array_parameters(**{name: ITEMS.c[name].type for name in item_columns})
    selected = select(new_order.c.id, *rows.c).select_from(new_order.join(rows, true()))
    ctes = [insert(ITEMS).from_select(["order_id", *item_columns], selected).cte("new_items")]
    if with_key:
        names = ("caller", "operation", "key", "fingerprint", "status")
        key: dict[str, ColumnElement[object]] = {
            name: bindparam(f"key_{name}", type_=KEYS.c[name].type) for name in names
        }
        key["body"] = cast(bindparam("key_body", type_=Text), JSONB)
        ctes.append(insert(KEYS).from_select(list(key), select(*key.values()).select_from(new_order)).cte("new_key"))
    return DriverStatement(select(new_order.c.id).add_cte(*ctes))
