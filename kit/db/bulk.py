"""Set-based statements: many rows in one statement, passed as one array for each column."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    Table,
    TableValuedAlias,
    bindparam,
    column,
    func,
    literal,
)
from sqlalchemy.types import TypeEngine


def arrays(**columns: tuple[type[TypeEngine[Any]] | TypeEngine[Any], Sequence[Any]]) -> TableValuedAlias:
    """Rows, handed over as one array for each column: name=(type, values).

    The statement reads the same for any number of rows, so SQLAlchemy compiles it and Postgres plans it once; with VALUES or IN of a
    list, each number of rows is another statement.
    """
    return _unnested(columns, [literal(list(values), ARRAY(type_)) for type_, values in columns.values()])


def parameters(**columns: type[TypeEngine[Any]] | TypeEngine[Any]) -> TableValuedAlias:
    """The same without the rows, for a statement that is built once: they come with its execution, as `lists` of them."""
    return _unnested(columns, [bindparam(f"{name}_list", type_=ARRAY(type_)) for name, type_ in columns.items()])


def lists(**columns: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """The rows of a statement with `parameters`. SQLAlchemy keeps the columns' own names for itself in an INSERT or UPDATE."""
    return {f"{name}_list": values for name, values in columns.items()}


def _unnested(columns: Mapping[str, Any], values: Sequence[Any]) -> TableValuedAlias:
    typed = [column(name, kind[0] if isinstance(kind, tuple) else kind) for name, kind in columns.items()]
    return func.unnest(*values).table_valued(*typed).render_derived()


def table_of(model: type[Any]) -> Table:
    """The bare table of a model: statements on it are Core's, and cost no look at the ORM's."""
    return cast(Table, model.__table__)
