"""Create the payments tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The name of the trigger has a meaning: kit/db/privileges.py grants no UPDATE and DELETE on tables that have it.
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""

# The check runs after each statement, not at the commit, so that the statement that writes an unbalanced movement fails.
REQUIRE_BALANCE = """
CREATE FUNCTION ledger_require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT transaction_id, currency, sum(amount) AS amount INTO wrong
    FROM added GROUP BY transaction_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'movement % does not balance: % %', wrong.transaction_id, wrong.amount, wrong.currency
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

# Every movement has entries. The planner settings force nested loops over the primary key, because Postgres would
# otherwise keep a plan that scans the whole tables if the plan was cached while the tables were small.
REQUIRE_ENTRIES = """
CREATE FUNCTION ledger_require_entries() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong text;
BEGIN
    SELECT key INTO wrong FROM added
    WHERE NOT EXISTS (SELECT FROM ledger_entries AS e WHERE e.transaction_id = added.id AND e.line = 1) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'movement % has no entries', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "ended_accounts",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_ended_accounts")),
    )
    op.create_index(op.f("ix_ended_accounts_ended_at"), "ended_accounts", ["ended_at"], unique=False)
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_actor_id"), "audit_log", ["actor", "id"], unique=False)
    op.create_index(op.f("ix_audit_log_subject_id"), "audit_log", ["subject", "id"], unique=False)
    op.create_table(
        "backfill_state",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("complete_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_backfill_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfill_state")),
    )
    op.create_table(
        "call_budgets",
        sa.Column("call_limit", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("call_limit", name=op.f("pk_call_budgets")),
    )
    op.create_table(
        "cards",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("authorization_code", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("last4", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("exp_month", sa.BigInteger(), nullable=True),
        sa.Column("exp_year", sa.BigInteger(), nullable=True),
        sa.Column("bank", sa.Text(), nullable=True),
        sa.Column("last_payment_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "deactivated_at IS NOT NULL OR authorization_code IS NOT NULL", name=op.f("ck_cards_usable_or_deactivated")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint("customer_id", "domain", "signature", name=op.f("uq_cards_customer_id_domain_signature")),
    )
    op.create_index(
        op.f("ix_cards_next_attempt_at"),
        "cards",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("holder", sa.BigInteger(), nullable=True),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "operation", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'processed', 'failed')", name=op.f("ck_inbox_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("key", name=op.f("uq_inbox_key")),
    )
    op.create_index(
        op.f("ix_inbox_next_attempt_at"),
        "inbox",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(op.f("ix_inbox_received_at"), "inbox", ["received_at"], unique=False, postgresql_using="brin")
    op.create_index(
        op.f("ix_inbox_status"), "inbox", ["status"], unique=False, postgresql_where=sa.text("status = 'failed'")
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_id")),
    )
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
        "webhook_events",
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'processed', 'failed')", name=op.f("ck_webhook_events_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("key", name=op.f("uq_webhook_events_key")),
    )
    op.create_index(
        op.f("ix_webhook_events_event_id"),
        "webhook_events",
        ["event", "id"],
        unique=False,
        postgresql_where=sa.text("event <> 'charge.success'"),
    )
    op.create_index(op.f("ix_webhook_events_identity"), "webhook_events", ["identity"], unique=False)
    op.create_index(
        op.f("ix_webhook_events_next_attempt_at"),
        "webhook_events",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        op.f("ix_webhook_events_received_at"), "webhook_events", ["received_at"], unique=False, postgresql_using="brin"
    )
    op.create_index(
        op.f("ix_webhook_events_reference"),
        "webhook_events",
        ["reference"],
        unique=False,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_webhook_events_status"),
        "webhook_events",
        ["status"],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("started_by_program", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=True),
        sa.Column("customer_external_id", sa.Text(), nullable=True),
        sa.Column("card_id", sa.Uuid(), nullable=True),
        sa.Column("client_metadata", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("authorization_url", sa.Text(), nullable=True),
        sa.Column("access_code", sa.Text(), nullable=True),
        sa.Column("payable_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("cancel_url", sa.Text(), nullable=True),
        sa.Column("paystack_id", sa.BigInteger(), nullable=True),
        sa.Column("paid_amount", sa.BigInteger(), nullable=True),
        sa.Column("paid_currency", sa.Text(), nullable=True),
        sa.Column("fees", sa.BigInteger(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("gateway_response", sa.Text(), nullable=True),
        sa.Column("paystack_status", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verify_next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verify_attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_rejected_transfer", postgresql.JSONB(), nullable=True),
        sa.Column("refunded_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunds_next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunds_leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunds_attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("payout_id", sa.BigInteger(), nullable=True),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "held_reason IN ('amount_differs', 'currency_differs', 'mode_differs', 'unknown_reference', 'reversed')",
            name=op.f("ck_payments_held_reason"),
        ),
        sa.CheckConstraint(
            "order_id IS NOT NULL OR status <> 'succeeded'", name=op.f("ck_payments_succeeded_has_order")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'succeeded', 'failed', 'abandoned', 'held', 'partially_refunded', 'refunded', 'disputed')",
            name=op.f("ck_payments_status"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_payments_amount")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_payments_card_id_cards"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["payout_id"], ["payouts.id"], name=op.f("fk_payments_payout_id_payouts"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("reference", name=op.f("uq_payments_reference")),
    )
    op.create_index(
        op.f("ix_payments_card_id"),
        "payments",
        ["card_id"],
        unique=False,
        postgresql_where=sa.text("card_id IS NOT NULL"),
    )
    op.create_index(
        "ix_payments_external_id",
        "payments",
        ["customer_external_id", "id"],
        unique=False,
        postgresql_where=sa.text("customer_external_id IS NOT NULL"),
    )
    op.create_index(
        "ix_payments_program_email",
        "payments",
        ["customer_id", sa.literal_column("lower(email)")],
        unique=False,
        postgresql_where=sa.text("started_by_program"),
    )
    op.create_index(op.f("ix_payments_created_at"), "payments", ["created_at"], unique=False, postgresql_using="brin")
    op.create_index(op.f("ix_payments_order_id"), "payments", ["order_id"], unique=False)
    op.create_index(op.f("ix_payments_customer_id_id"), "payments", ["customer_id", "id"], unique=False)
    op.create_index(
        op.f("ix_payments_payout_id"),
        "payments",
        ["payout_id"],
        unique=False,
        postgresql_where=sa.text("payout_id IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_payments_refunds_next_attempt_at"),
        "payments",
        ["refunds_next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("refunds_next_attempt_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_payments_status_id"), "payments", ["status", "id"], unique=False)
    op.create_index(
        "ix_payments_to_verify",
        "payments",
        ["verify_next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'failed')"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("held_reason", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("decision IN ('accept', 'bind')", name=op.f("ck_decisions_decision")),
        sa.CheckConstraint(
            "held_reason IN ('amount_differs', 'currency_differs', 'mode_differs', 'unknown_reference', 'reversed')",
            name=op.f("ck_decisions_held_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_decisions_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_payment_id"), "decisions", ["payment_id"], unique=False)
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
        sa.Column("response_message", sa.Text(), nullable=True),
        sa.Column("responded_by", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(status IN ('resolved', 'archived')) = (lost IS NOT NULL)", name=op.f("ck_disputes_lost_when_over")
        ),
        sa.CheckConstraint(
            "status IN ('awaiting-merchant-feedback', 'awaiting-bank-feedback', 'pending', 'resolved', 'archived')",
            name=op.f("ck_disputes_status"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_disputes_amount")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
    )
    op.create_index(op.f("ix_disputes_due_at_id"), "disputes", ["due_at", "id"], unique=False)
    op.create_index(
        op.f("ix_disputes_next_attempt_at"),
        "disputes",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_index(
        "ix_disputes_open", "disputes", ["due_at", "id"], unique=False, postgresql_where=sa.text("lost IS NULL")
    )
    op.create_index(op.f("ix_disputes_payment_id"), "disputes", ["payment_id"], unique=False)
    op.create_table(
        "ledger_transactions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('received', 'fee', 'accepted', 'bound', 'refunded', 'disputed', 'dispute_won', 'dispute_lost', 'paid_out')",
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
        sa.CheckConstraint(
            "account IN ('paystack:receivable', 'paystack:other_mode', 'bank', 'disputes', 'sales', 'held', 'fees', 'refunds', 'other_applications')",
            name=op.f("ck_ledger_entries_account"),
        ),
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
        "ix_ledger_entries_account",
        "ledger_entries",
        ["account", "currency", "recorded_at", "transaction_id", "line"],
        unique=False,
        postgresql_include=["amount"],
    )
    op.create_index(
        op.f("ix_ledger_entries_recorded_at_transaction_id_line"),
        "ledger_entries",
        ["recorded_at", "transaction_id", "line"],
        unique=False,
    )
    op.create_table(
        "unrelated_charges",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("paystack_id", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("fees", sa.BigInteger(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unrelated_charges")),
        sa.UniqueConstraint("reference", name=op.f("uq_unrelated_charges_reference")),
    )
    op.create_table(
        "refunds",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("dispute_id", sa.BigInteger(), nullable=True),
        sa.Column("paystack_id", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="requested", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(closed_by IS NULL) = (closed_reason IS NULL)", name=op.f("ck_refunds_closed_with_reason")),
        sa.CheckConstraint("closed_by IS NULL OR status = 'failed'", name=op.f("ck_refunds_closed_after_failure")),
        sa.CheckConstraint(
            "status IN ('requested', 'pending', 'processing', 'processed', 'failed', 'needs-attention')",
            name=op.f("ck_refunds_status"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(
            ["dispute_id"], ["disputes.id"], name=op.f("fk_refunds_dispute_id_disputes"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_refunds")),
        sa.UniqueConstraint("dispute_id", name=op.f("uq_refunds_dispute_id")),
        sa.UniqueConstraint("id", name=op.f("uq_refunds_id")),
        sa.UniqueConstraint("paystack_id", name=op.f("uq_refunds_paystack_id")),
    )
    op.create_index(op.f("ix_refunds_payment_id_number"), "refunds", ["payment_id", "number"], unique=False)
    op.create_index(
        "ix_refunds_not_processed",
        "refunds",
        ["status", "number"],
        unique=False,
        postgresql_where=sa.text("status <> 'processed'"),
    )
    op.create_table(
        "rejected_transfers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(payment_id IS NULL) = (matched_at IS NULL)", name=op.f("ck_rejected_transfers_matched_with_payment")
        ),
        sa.CheckConstraint(
            "failed_at IS NULL OR (payment_id IS NULL AND next_attempt_at IS NULL)",
            name=op.f("ck_rejected_transfers_failed"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_rejected_transfers_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_transfers")),
        sa.UniqueConstraint("identity", name=op.f("uq_rejected_transfers_identity")),
    )
    op.create_index(
        "ix_rejected_transfers_failed",
        "rejected_transfers",
        ["id"],
        unique=False,
        postgresql_where=sa.text("failed_at IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_rejected_transfers_matched_at"),
        "rejected_transfers",
        ["matched_at"],
        unique=False,
        postgresql_where=sa.text("matched_at IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_rejected_transfers_next_attempt_at"),
        "rejected_transfers",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_rejected_transfers_payment_id_id"), "rejected_transfers", ["payment_id", "id"], unique=False
    )
    op.create_index(
        "ix_rejected_transfers_without_payment",
        "rejected_transfers",
        ["id"],
        unique=False,
        postgresql_where=sa.text("payment_id IS NULL"),
    )
    for statement in (REFUSE_CHANGE, REQUIRE_BALANCE, REQUIRE_ENTRIES):
        op.execute(statement)
    for table in ("ledger_transactions", "ledger_entries", "decisions", "audit_log"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER balanced AFTER INSERT ON ledger_entries REFERENCING NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger_require_balance()"
    )
    op.execute(
        "CREATE TRIGGER whole AFTER INSERT ON ledger_transactions REFERENCING NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger_require_entries()"
    )


def downgrade() -> None:
    op.drop_index(
        "ix_rejected_transfers_without_payment",
        table_name="rejected_transfers",
        postgresql_where=sa.text("payment_id IS NULL"),
    )
    op.drop_index(op.f("ix_rejected_transfers_payment_id_id"), table_name="rejected_transfers")
    op.drop_index(
        op.f("ix_rejected_transfers_next_attempt_at"),
        table_name="rejected_transfers",
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.drop_index(
        op.f("ix_rejected_transfers_matched_at"),
        table_name="rejected_transfers",
        postgresql_where=sa.text("matched_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_rejected_transfers_failed",
        table_name="rejected_transfers",
        postgresql_where=sa.text("failed_at IS NOT NULL"),
    )
    op.drop_table("rejected_transfers")
    op.drop_index(op.f("ix_ended_accounts_ended_at"), table_name="ended_accounts")
    op.drop_table("ended_accounts")
    op.drop_index("ix_refunds_not_processed", table_name="refunds", postgresql_where=sa.text("status <> 'processed'"))
    op.drop_index(op.f("ix_refunds_payment_id_number"), table_name="refunds")
    op.drop_table("refunds")
    op.drop_table("unrelated_charges")
    op.drop_index(op.f("ix_ledger_entries_recorded_at_transaction_id_line"), table_name="ledger_entries")
    op.drop_index("ix_ledger_entries_account", table_name="ledger_entries", postgresql_include=["amount"])
    op.drop_table("ledger_entries")
    op.drop_index(op.f("ix_ledger_transactions_payment_id"), table_name="ledger_transactions")
    op.drop_table("ledger_transactions")
    op.drop_index(op.f("ix_disputes_payment_id"), table_name="disputes")
    op.drop_index("ix_disputes_open", table_name="disputes", postgresql_where=sa.text("lost IS NULL"))
    op.drop_index(
        op.f("ix_disputes_next_attempt_at"),
        table_name="disputes",
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.drop_index(op.f("ix_disputes_due_at_id"), table_name="disputes")
    op.drop_table("disputes")
    op.drop_index(op.f("ix_decisions_payment_id"), table_name="decisions")
    op.drop_table("decisions")
    op.drop_index(
        "ix_payments_to_verify", table_name="payments", postgresql_where=sa.text("status IN ('pending', 'failed')")
    )
    op.drop_index(op.f("ix_payments_status_id"), table_name="payments")
    op.drop_index(
        op.f("ix_payments_refunds_next_attempt_at"),
        table_name="payments",
        postgresql_where=sa.text("refunds_next_attempt_at IS NOT NULL"),
    )
    op.drop_index(
        op.f("ix_payments_payout_id"), table_name="payments", postgresql_where=sa.text("payout_id IS NOT NULL")
    )
    op.drop_index(op.f("ix_payments_customer_id_id"), table_name="payments")
    op.drop_index(op.f("ix_payments_order_id"), table_name="payments")
    op.drop_index("ix_payments_program_email", table_name="payments", postgresql_where=sa.text("started_by_program"))
    op.drop_index(
        "ix_payments_external_id",
        table_name="payments",
        postgresql_where=sa.text("customer_external_id IS NOT NULL"),
    )
    op.drop_index(op.f("ix_payments_created_at"), table_name="payments", postgresql_using="brin")
    op.drop_index(op.f("ix_payments_card_id"), table_name="payments", postgresql_where=sa.text("card_id IS NOT NULL"))
    op.drop_table("payments")
    op.drop_index(
        op.f("ix_webhook_events_status"), table_name="webhook_events", postgresql_where=sa.text("status = 'failed'")
    )
    op.drop_index(
        op.f("ix_webhook_events_reference"),
        table_name="webhook_events",
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.drop_index(op.f("ix_webhook_events_received_at"), table_name="webhook_events", postgresql_using="brin")
    op.drop_index(
        op.f("ix_webhook_events_next_attempt_at"),
        table_name="webhook_events",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.drop_index(op.f("ix_webhook_events_identity"), table_name="webhook_events")
    op.drop_index(
        op.f("ix_webhook_events_event_id"),
        table_name="webhook_events",
        postgresql_where=sa.text("event <> 'charge.success'"),
    )
    op.drop_table("webhook_events")
    op.drop_table("payouts")
    op.drop_table("outbox")
    op.drop_index(op.f("ix_inbox_status"), table_name="inbox", postgresql_where=sa.text("status = 'failed'"))
    op.drop_index(op.f("ix_inbox_received_at"), table_name="inbox", postgresql_using="brin")
    op.drop_index(op.f("ix_inbox_next_attempt_at"), table_name="inbox", postgresql_where=sa.text("status = 'pending'"))
    op.drop_table("inbox")
    op.drop_index(op.f("ix_idempotency_keys_created_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index(
        op.f("ix_cards_next_attempt_at"), table_name="cards", postgresql_where=sa.text("next_attempt_at IS NOT NULL")
    )
    op.drop_table("cards")
    op.drop_table("call_budgets")
    op.drop_table("backfill_state")
    op.drop_index(op.f("ix_audit_log_subject_id"), table_name="audit_log")
    op.drop_index(op.f("ix_audit_log_actor_id"), table_name="audit_log")
    op.drop_table("audit_log")
    for function in ("ledger_require_entries", "ledger_require_balance", "refuse_change"):
        op.execute(f"DROP FUNCTION {function}()")
