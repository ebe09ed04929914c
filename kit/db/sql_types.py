"""Types of statements and rows whose columns depend on a request, so that their Python types are not known to the type checker."""

from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, Select
from sqlalchemy.sql.base import ColumnCollection

AnyColumn: TypeAlias = ColumnElement[Any]
AnyColumns: TypeAlias = ColumnCollection[str, Any]
AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row has an attribute for each column of its statement."""

AnySelect: TypeAlias = Select[*tuple[Any, ...]]
