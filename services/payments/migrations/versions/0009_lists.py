"""The lists of payments and refunds that are rare among millions go by an index"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(
        "ix_payments_rare",
        "payments",
        ["status", "id"],
        postgresql_where=sa.text("status IN ('held', 'disputed', 'partially_refunded', 'refunded')"),
    )
    op.drop_index("ix_payments_held", table_name="payments")
    op.create_index(
        "ix_refunds_unfinished", "refunds", ["status", "number"], postgresql_where=sa.text("status <> 'processed'")
    )
    op.drop_index("ix_refunds_attention", table_name="refunds")


def downgrade() -> None:
    op.create_index(
        "ix_refunds_attention", "refunds", ["number"], postgresql_where=sa.text("status = 'needs-attention'")
    )
    op.drop_index("ix_refunds_unfinished", table_name="refunds")
    op.create_index("ix_payments_held", "payments", ["id"], postgresql_where=sa.text("status = 'held'"))
    op.drop_index("ix_payments_rare", table_name="payments")
