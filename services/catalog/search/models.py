"""The tables of the search: how many products have each word and each stem."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.catalog.models import Base


class Lexeme(Base):
    """A word of products, or the stem of one. `products` is the number of products that have it (lexeme_counts.py).

    `is_word` is false for a stem that is not a word of any product: it is not suggested to customers.
    """

    __tablename__ = "lexemes"
    __table_args__ = (
        Index("ix_lexemes_lexeme", "lexeme", postgresql_using="gin", postgresql_ops={"lexeme": "gin_trgm_ops"}),
        {"postgresql_with": {"fillfactor": 80}},
    )

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lexeme: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    products: Mapped[int]
    is_word: Mapped[bool]


class LexemeProgress(Base):
    """How far the lexemes are counted: one row. The products up to the number `counted_to` are in the lexemes of `generation`.

    A recount makes the next generation beside it; `recounted_to` is its progress, or NULL.
    """

    __tablename__ = "lexeme_progress"
    __table_args__ = (CheckConstraint("id = 1", name="id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    counted_to: Mapped[int] = mapped_column(server_default=text("0"))
    products: Mapped[int] = mapped_column(server_default=text("0"))
    recounted_to: Mapped[int | None]
    recounted_products: Mapped[int] = mapped_column(server_default=text("0"))
    recounted_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
