"""Who works on an idempotency key, so that a key whose process died is free at once"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("holder", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("idempotency_keys", "holder")
