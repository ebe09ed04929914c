"""refunds"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "refunds",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("paystack_id", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="requested", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('requested', 'pending', 'processing', 'processed', 'failed', 'needs-attention')",
            name=op.f("ck_refunds_status"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_refunds")),
        sa.UniqueConstraint("id", name=op.f("uq_refunds_id")),
        sa.UniqueConstraint("paystack_id", name=op.f("uq_refunds_paystack_id")),
    )
    op.create_index(
        "ix_refunds_attention",
        "refunds",
        ["number"],
        unique=False,
        postgresql_where=sa.text("status = 'needs-attention'"),
    )
    op.create_index(op.f("ix_refunds_payment_id_number"), "refunds", ["payment_id", "number"], unique=False)
    op.add_column(
        "payments", sa.Column("refunded_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("payments", sa.Column("refunds_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payments", sa.Column("refund_looks", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_index(
        op.f("ix_payments_refunds_due_at"),
        "payments",
        ["refunds_due_at"],
        unique=False,
        postgresql_where=sa.text("refunds_due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        op.f("ix_payments_refunds_due_at"),
        table_name="payments",
        postgresql_where=sa.text("refunds_due_at IS NOT NULL"),
    )
    op.drop_column("payments", "refund_looks")
    op.drop_column("payments", "refunds_due_at")
    op.drop_column("payments", "refunded_amount")
    op.drop_index(op.f("ix_refunds_payment_id_number"), table_name="refunds")
    op.drop_index("ix_refunds_attention", table_name="refunds", postgresql_where=sa.text("status = 'needs-attention'"))
    op.drop_table("refunds")
