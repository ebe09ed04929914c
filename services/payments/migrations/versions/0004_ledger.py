"""the double-entry ledger, payouts; what was paid and refunded before is brought into the books"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

APPEND_ONLY = """
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'A mistake is mended by another movement.';
END $$
"""

# At once and for a whole statement: an unbalanced movement fails where it is written, not at the commit of others' work.
BALANCED = """
CREATE FUNCTION ledger_require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT transaction_id, currency, sum(amount) AS amount INTO wrong
    FROM added GROUP BY transaction_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % does not balance: % %', wrong.transaction_id, wrong.amount, wrong.currency
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

# At commit: no transaction stays without its entries.
WHOLE = """
CREATE FUNCTION ledger_require_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entries bigint;
    balanced boolean;
BEGIN
    SELECT coalesce(sum(count), 0), coalesce(bool_and(amount = 0), true) INTO entries, balanced
    FROM (
        SELECT count(*) AS count, sum(amount) AS amount
        FROM ledger_entries WHERE transaction_id = NEW.id GROUP BY currency
    ) AS sides;
    IF entries < 2 OR NOT balanced THEN
        RAISE EXCEPTION 'ledger transaction % has % entries or does not balance', NEW.key, entries
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

# Before any other trigger is there: the books as they would stand had they been kept from the beginning.
OPENING = (
    """
    INSERT INTO ledger_transactions (key, kind, payment_id, occurred_at)
    SELECT 'received:' || reference, 'received', id, coalesce(paid_at, created_at) FROM payments WHERE paid_amount > 0
    UNION ALL
    SELECT 'fee:' || reference, 'fee', id, coalesce(paid_at, created_at)
    FROM payments WHERE paid_amount IS NOT NULL AND fees > 0
    UNION ALL
    SELECT 'decided:' || p.reference, CASE d.decision WHEN 'accept' THEN 'accepted' ELSE 'bound' END, p.id, d.decided_at
    FROM decisions d JOIN payments p ON p.id = d.payment_id WHERE p.paid_amount > 0
    UNION ALL
    SELECT 'refunded:' || r.id, 'refunded', p.id, r.updated_at
    FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.status = 'processed' AND p.paid_amount > 0
    ORDER BY 4
    """,
    """
    INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)
    SELECT t.id, e.line, e.account, e.currency, e.amount
    FROM ledger_transactions t
    JOIN payments p ON p.id = t.payment_id
    LEFT JOIN refunds r ON t.key = 'refunded:' || r.id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p.held_reason = 'mode_differs' OR EXISTS (
                   SELECT FROM decisions d WHERE d.payment_id = p.id AND d.held_reason = 'mode_differs'
               ) THEN 'paystack:other_mode' ELSE 'paystack:receivable' END AS receivable,
               CASE WHEN p.held_reason IS NOT NULL OR EXISTS (SELECT FROM decisions d WHERE d.payment_id = p.id)
                    THEN 'held' ELSE 'sales' END AS earned,
               CASE WHEN p.held_reason IS NULL THEN 'refunds' ELSE 'held' END AS returned
    ) AS names
    CROSS JOIN LATERAL (
        VALUES (1, 'received', receivable, p.paid_currency, p.paid_amount),
               (2, 'received', earned, p.paid_currency, -p.paid_amount),
               (1, 'fee', 'fees', p.paid_currency, p.fees),
               (2, 'fee', receivable, p.paid_currency, -p.fees),
               (1, 'accepted', 'held', p.paid_currency, p.paid_amount),
               (2, 'accepted', 'sales', p.paid_currency, -p.paid_amount),
               (1, 'bound', 'held', p.paid_currency, p.paid_amount),
               (2, 'bound', 'sales', p.paid_currency, -p.paid_amount),
               (1, 'refunded', returned, r.currency, r.amount),
               (2, 'refunded', receivable, r.currency, -r.amount)
    ) AS e (line, kind, account, currency, amount)
    WHERE e.kind = t.kind
    """,
)


def upgrade() -> None:
    op.create_table(
        "payouts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("fees", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("paid_out_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
    )
    op.create_table(
        "ledger_transactions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('received', 'fee', 'accepted', 'bound', 'refunded', 'disputed', 'dispute_won', 'dispute_lost',"
            " 'settled')",
            name=op.f("ck_ledger_transactions_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["payments.id"],
            name=op.f("fk_ledger_transactions_payment_id_payments"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transactions")),
        sa.UniqueConstraint("key", name=op.f("uq_ledger_transactions_key")),
    )
    op.create_index(op.f("ix_ledger_transactions_payment_id"), "ledger_transactions", ["payment_id"], unique=False)
    op.create_table(
        "ledger_entries",
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_entries_amount")),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["ledger_transactions.id"],
            name=op.f("fk_ledger_entries_transaction_id_ledger_transactions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("transaction_id", "line", name=op.f("pk_ledger_entries")),
    )
    op.create_index(
        op.f("ix_ledger_entries_recorded_at_transaction_id_line"),
        "ledger_entries",
        ["recorded_at", "transaction_id", "line"],
        unique=False,
    )
    op.create_index(
        "ix_ledger_entries_account",
        "ledger_entries",
        ["account", "currency", "recorded_at", "transaction_id", "line"],
        unique=False,
        postgresql_include=["amount"],
    )
    op.add_column("payments", sa.Column("payout_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_payments_payout_id_payouts"), "payments", "payouts", ["payout_id"], ["id"], ondelete="RESTRICT"
    )
    op.create_index(
        op.f("ix_payments_payout_id"),
        "payments",
        ["payout_id"],
        unique=False,
        postgresql_where=sa.text("payout_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_payments_created_at"), "payments", ["created_at"], unique=False, postgresql_using="brin")
    for statement in (*OPENING, APPEND_ONLY, BALANCED, WHOLE):
        op.execute(statement)
    for table in ("ledger_transactions", "ledger_entries"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER balanced AFTER INSERT ON ledger_entries REFERENCING NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger_require_balance()"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER whole AFTER INSERT ON ledger_transactions DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION ledger_require_entries()"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_payments_created_at"), table_name="payments", postgresql_using="brin")
    op.drop_index(
        op.f("ix_payments_payout_id"), table_name="payments", postgresql_where=sa.text("payout_id IS NOT NULL")
    )
    op.drop_constraint(op.f("fk_payments_payout_id_payouts"), "payments", type_="foreignkey")
    op.drop_column("payments", "payout_id")
    op.drop_table("ledger_entries")
    op.drop_table("ledger_transactions")
    for function in ("ledger_require_entries", "ledger_require_balance", "ledger_refuse_change"):
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_table("payouts")
