"""saved cards"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "cards",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payer_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("authorization_code", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("last4", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("exp_month", sa.BigInteger(), nullable=True),
        sa.Column("exp_year", sa.BigInteger(), nullable=True),
        sa.Column("bank", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("forget_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("forget_tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "forgotten_at IS NOT NULL OR authorization_code IS NOT NULL", name=op.f("ck_cards_usable_or_forgotten")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint("payer_id", "domain", "signature", name=op.f("uq_cards_payer_id_domain_signature")),
    )
    op.create_index(
        op.f("ix_cards_forget_at"),
        "cards",
        ["forget_at"],
        unique=False,
        postgresql_where=sa.text("forget_at IS NOT NULL"),
    )
    op.add_column("payments", sa.Column("card_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_payments_card_id_cards"), "payments", "cards", ["card_id"], ["id"], ondelete="RESTRICT"
    )
    op.create_index(
        op.f("ix_payments_card_id"),
        "payments",
        ["card_id"],
        unique=False,
        postgresql_where=sa.text("card_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_payments_card_id"), table_name="payments", postgresql_where=sa.text("card_id IS NOT NULL"))
    op.drop_constraint(op.f("fk_payments_card_id_cards"), "payments", type_="foreignkey")
    op.drop_column("payments", "card_id")
    op.drop_index(op.f("ix_cards_forget_at"), table_name="cards", postgresql_where=sa.text("forget_at IS NOT NULL"))
    op.drop_table("cards")
