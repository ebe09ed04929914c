"""what identifies a notice; how far the backfill has come"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("notices", sa.Column("identity", sa.Text(), nullable=True))
    op.create_index(op.f("ix_notices_identity"), "notices", ["identity"], unique=False)
    op.create_index(
        op.f("ix_notices_reference"),
        "notices",
        ["reference"],
        unique=False,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_notices_event_id"),
        "notices",
        ["event", "id"],
        unique=False,
        postgresql_where=sa.text("event <> 'charge.success'"),
    )
    op.create_table(
        "backfill",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reached", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_backfill_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfill")),
    )


def downgrade() -> None:
    op.drop_table("backfill")
    op.drop_index(
        op.f("ix_notices_event_id"), table_name="notices", postgresql_where=sa.text("event <> 'charge.success'")
    )
    op.drop_index(op.f("ix_notices_reference"), table_name="notices", postgresql_where=sa.text("reference IS NOT NULL"))
    op.drop_index(op.f("ix_notices_identity"), table_name="notices")
    op.drop_column("notices", "identity")
