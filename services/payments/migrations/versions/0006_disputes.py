"""disputes"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "disputes",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("lost", sa.Boolean(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("evidence_id", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looks", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('awaiting-merchant-feedback', 'awaiting-bank-feedback', 'pending', 'resolved', 'archived')",
            name=op.f("ck_disputes_status"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_disputes_amount")),
        sa.CheckConstraint(
            "(status IN ('resolved', 'archived')) = (lost IS NOT NULL)", name=op.f("ck_disputes_lost_when_over")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
    )
    op.create_index(op.f("ix_disputes_payment_id"), "disputes", ["payment_id"], unique=False)
    op.create_index(op.f("ix_disputes_due_at_id"), "disputes", ["due_at", "id"], unique=False)
    op.create_index(
        "ix_disputes_open", "disputes", ["due_at", "id"], unique=False, postgresql_where=sa.text("lost IS NULL")
    )
    op.create_index(
        op.f("ix_disputes_next_look_at"),
        "disputes",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
    op.add_column("refunds", sa.Column("dispute_id", sa.BigInteger(), nullable=True))
    op.create_unique_constraint(op.f("uq_refunds_dispute_id"), "refunds", ["dispute_id"])
    op.create_foreign_key(
        op.f("fk_refunds_dispute_id_disputes"), "refunds", "disputes", ["dispute_id"], ["id"], ondelete="RESTRICT"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_refunds_dispute_id_disputes"), "refunds", type_="foreignkey")
    op.drop_constraint(op.f("uq_refunds_dispute_id"), "refunds", type_="unique")
    op.drop_column("refunds", "dispute_id")
    op.drop_index(
        op.f("ix_disputes_next_look_at"), table_name="disputes", postgresql_where=sa.text("next_look_at IS NOT NULL")
    )
    op.drop_index("ix_disputes_open", table_name="disputes", postgresql_where=sa.text("lost IS NULL"))
    op.drop_index(op.f("ix_disputes_due_at_id"), table_name="disputes")
    op.drop_index(op.f("ix_disputes_payment_id"), table_name="disputes")
    op.drop_table("disputes")
