"""Columns for the values of a StrEnum: stored as text, limited by a CHECK constraint, read as members of the enum."""

from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import CheckConstraint, Dialect, Text
from sqlalchemy.types import TypeDecorator

E = TypeVar("E", bound=StrEnum)


class TextEnum(TypeDecorator[E], Generic[E]):
    """A text column whose values are members of `enum`.

    A CHECK constraint (`one_of`) limits the values. A Postgres enum type would be harder to migrate: it cannot drop a value, and a value
    that a transaction adds cannot be used before its commit.
    """

    impl = Text
    cache_ok = True

    def __init__(self, enum: type[E]) -> None:
        self.enum = enum
        super().__init__()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        # A driver may accept only plain `str`. For a value outside the enum, this raises ValueError before the database refuses it.
        return None if value is None else str(self.enum(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> E | None:
        return None if value is None else self.enum(value)

    def process_literal_param(self, value: Any, dialect: Dialect) -> str:
        return str(self.enum(value))


def text_enum(enum: type[E]) -> TextEnum[E]:
    """Return the column type for `enum`: `status: Mapped[Status] = mapped_column(text_enum(Status))`."""
    return TextEnum(enum)


def one_of(column: str, enum: type[StrEnum]) -> CheckConstraint:
    """Return the constraint that limits `column` to the values of `enum`. The constraint has the name of the column. NULL is allowed."""
    values = ", ".join(f"'{member}'" for member in enum)
    return CheckConstraint(f"{column} IN ({values})", name=column)


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write a `TextEnum` into a generated migration as plain text (Alembic's `render_item`), so that migrations import none of our code."""
    return "sa.Text()" if kind == "type" and isinstance(item, TextEnum) else False
