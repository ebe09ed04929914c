"""Payments that could not be delivered for are remembered with the reason, so that they can be told again"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "undeliverable_payments",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_undeliverable_payments")),
    )
    op.create_index(
        op.f("ix_undeliverable_payments_told_at_reference"),
        "undeliverable_payments",
        ["told_at", "reference"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("undeliverable_payments")
