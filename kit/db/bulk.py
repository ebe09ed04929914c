"""Set-based statements: many rows in one statement, passed as one array for each column.

The text of such a statement does not depend on the number of rows, so SQLAlchemy compiles it once and Postgres plans it once. The text of a
statement with VALUES or IN (...) differs for each number of rows.

    rows = array_parameters(id=BigInteger, status=Text)
    FINISH = update(orders).where(orders.c.id == rows.c.id).values(status=rows.c.status)
    await session.execute(FINISH, array_values(id=[1, 2], status=["paid", "expired"]))
"""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ARRAY, Table, TableValuedAlias, bindparam, column, func
from sqlalchemy.types import TypeEngine

ColumnType = type[TypeEngine[Any]] | TypeEngine[Any]


def array_parameters(**columns: ColumnType) -> TableValuedAlias:
    """Return a table-valued expression with these columns, for a statement that is built once. Each execution passes `array_values`."""
    parameters = [bindparam(f"{name}_list", type_=ARRAY(kind)) for name, kind in columns.items()]
    typed = [column(name, kind) for name, kind in columns.items()]
    return func.unnest(*parameters).table_valued(*typed).render_derived()


def array_values(**columns: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Return the parameters for a statement with `array_parameters`.

    Their names end in `_list`, because SQLAlchemy reserves the names of a table's columns as parameters of INSERT and UPDATE.
    """
    return {f"{name}_list": values for name, values in columns.items()}


def table_of(model: type[Any]) -> Table:
    """Return the table of a model. Statements on it are compiled by SQLAlchemy Core, which is faster than the ORM."""
    return cast(Table, model.__table__)
