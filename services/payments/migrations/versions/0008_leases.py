"""A lease of a payment's refunds that no nudge cancels; a declined payment goes on being asked about"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("refunds_leased_until", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_payments_next_verify_at", table_name="payments")
    op.create_index(
        "ix_payments_undecided",
        "payments",
        ["next_verify_at"],
        postgresql_where=sa.text("status IN ('pending', 'failed')"),
    )


def downgrade() -> None:
    op.drop_index("ix_payments_undecided", table_name="payments")
    op.create_index(
        "ix_payments_next_verify_at",
        "payments",
        ["next_verify_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.drop_column("payments", "refunds_leased_until")
