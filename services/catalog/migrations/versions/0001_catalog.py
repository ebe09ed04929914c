"""Create the catalog tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# The names of the triggers append_only and fixed have a meaning: kit/db/privileges.py grants no UPDATE and DELETE on tables that have
# the first, and only SELECT on tables that have the second.
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is %: % is refused', TG_TABLE_NAME, replace(TG_NAME, '_', '-'), TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""

STATUSES = ("pending", "paid", "delivered", "cancelled", "expired", "refunded")
TRANSITIONS = (
    ("pending", ("paid", "delivered", "cancelled", "expired", "refunded")),
    ("expired", ("paid", "delivered", "refunded")),
    ("paid", ("delivered", "refunded")),
    ("delivered", ("refunded",)),
)
CHECK_TRANSITION = """
CREATE FUNCTION check_order_status_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM order_status_transitions WHERE from_status = OLD.status AND to_status = NEW.status) THEN
        RAISE EXCEPTION 'the status of order % cannot change from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', TABLE = 'orders', CONSTRAINT = 'status_transition';
    END IF;
    RETURN NEW;
END $$
"""


# A word is searched as it is, and as its English stem. unaccent also replaces letters such as ß and ø.
SEARCH_CONFIGURATIONS = (
    "CREATE EXTENSION IF NOT EXISTS unaccent",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE TEXT SEARCH CONFIGURATION shop_words (COPY = simple)",
    "ALTER TEXT SEARCH CONFIGURATION shop_words ALTER MAPPING"
    " FOR word, hword, hword_part, numword, numhword, hword_numpart WITH unaccent, simple",
    "CREATE TEXT SEARCH CONFIGURATION shop_stems (COPY = english)",
    "ALTER TEXT SEARCH CONFIGURATION shop_stems ALTER MAPPING FOR word, hword, hword_part WITH unaccent, english_stem",
    "ALTER TEXT SEARCH CONFIGURATION shop_stems ALTER MAPPING FOR numword, numhword, hword_numpart WITH unaccent, simple",
)

# products.tag_ids has the ids of a product's tags, for the index of the search. The id of a tag that is deleted or merged stays there:
# removing it would change every product with the tag. A filter by the tag into which it was merged also looks for tags.merged_ids.
COPY_TAG_IDS = """
CREATE FUNCTION copy_tag_ids() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE products SET tag_ids = copied.tag_ids FROM (
        SELECT changed.product_id, ARRAY(
            SELECT tag_id FROM product_tags WHERE product_tags.product_id = changed.product_id ORDER BY position
        ) AS tag_ids
        FROM (SELECT DISTINCT product_id FROM changed_product_tags) AS changed
    ) AS copied
    WHERE products.id = copied.product_id AND products.tag_ids <> copied.tag_ids;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    for statement in SEARCH_CONFIGURATIONS:
        op.execute(statement)
    op.create_table(
        "lexemes",
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lexeme", sa.Text(collation="C"), nullable=False),
        sa.Column("products", sa.BigInteger(), nullable=False),
        sa.Column("is_word", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("generation", "lexeme", name=op.f("pk_lexemes")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "ix_lexemes_lexeme",
        "lexemes",
        ["lexeme"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"lexeme": "gin_trgm_ops"},
    )
    op.create_table(
        "lexeme_progress",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("counted_to", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("products", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("recounted_to", sa.BigInteger(), nullable=True),
        sa.Column("recounted_products", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("recounted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_lexeme_progress_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lexeme_progress")),
    )
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
        "categories",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_categories_parent_id")),
        sa.CheckConstraint("name <> ''", name=op.f("ck_categories_name")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["categories.id"], name=op.f("fk_categories_parent_id_categories"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
        sa.UniqueConstraint("slug", name=op.f("uq_categories_slug")),
    )
    op.create_index(op.f("ix_categories_parent_id_slug"), "categories", ["parent_id", "slug"], unique=False)
    op.create_table(
        "tags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("merged_ids", sa.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_tags_name")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("name", name=op.f("uq_tags_name")),
    )
    op.create_table(
        "idempotency_keys",
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
        "order_payments",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("refunded_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_in_other_currency", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("other_currency", sa.Text(), nullable=True),
        sa.Column("fully_refunded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("dispute_lost", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('awaited', 'paid', 'delivered', 'undeliverable', 'refunded')",
            name=op.f("ck_order_payments_outcome"),
        ),
        sa.CheckConstraint(
            "(other_currency IS NULL) = (refunded_in_other_currency = 0)",
            name=op.f("ck_order_payments_other_currency"),
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_order_payments")),
    )
    op.create_index(op.f("ix_order_payments_order_id"), "order_payments", ["order_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("customer_email", sa.Text(), nullable=True),
        sa.Column("customer_name", sa.Text(), nullable=True),
        sa.Column("customer_phone", sa.Text(), nullable=True),
        sa.Column("customer_external_id", sa.Text(), nullable=True),
        sa.Column("placed_by_program", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("guest_limit_address", sa.Text(), nullable=True),
        sa.Column("customer_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("needs_fulfilment", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("payment_reference", sa.Text(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("client_metadata", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_ends", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('simple', translate(number || ' ' || coalesce(customer_name, '') || ' ' || coalesce(customer_email, ''), '/.@_-<>&', '        '))",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'paid', 'delivered', 'cancelled', 'expired', 'refunded')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_orders_amount")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_orders_currency")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("number", name=op.f("uq_orders_number")),
    )
    op.create_index(
        op.f("ix_orders_customer_id_created_at_id"), "orders", ["customer_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_orders_created_at_id"), "orders", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_orders_status_created_at_id"), "orders", ["status", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_orders_amount_created_at_id"), "orders", ["amount", "created_at", "id"], unique=False)
    op.create_index(
        "ix_orders_customer_email",
        "orders",
        [sa.literal_column("lower(customer_email)"), "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_orders_external_id",
        "orders",
        ["customer_external_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("customer_external_id IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_orders_search"),
        "orders",
        ["search"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index(
        "ix_orders_never_paid",
        "orders",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('expired', 'cancelled') AND payment_reference IS NULL"),
    )
    op.create_index(
        "ix_orders_pending",
        "orders",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_orders_pending_of_programs",
        "orders",
        ["customer_id", sa.literal_column("coalesce('id ' || customer_external_id, lower(customer_email))")],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND placed_by_program"),
    )
    op.create_index(
        "ix_orders_pending_guests",
        "orders",
        ["guest_limit_address"],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND guest_limit_address IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_orders_expires_at"),
        "orders",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    order_statuses = op.create_table(
        "order_statuses",
        sa.Column("status", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("status", name=op.f("pk_order_statuses")),
    )
    order_status_transitions = op.create_table(
        "order_status_transitions",
        sa.Column("from_status", sa.Text(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["from_status"],
            ["order_statuses.status"],
            name=op.f("fk_order_status_transitions_from_status_order_statuses"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["to_status"],
            ["order_statuses.status"],
            name=op.f("fk_order_status_transitions_to_status_order_statuses"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("from_status", "to_status", name=op.f("pk_order_status_transitions")),
    )
    op.create_index(
        op.f("ix_order_status_transitions_to_status"), "order_status_transitions", ["to_status"], unique=False
    )
    op.bulk_insert(order_statuses, [{"status": status} for status in STATUSES])
    op.bulk_insert(
        order_status_transitions,
        [{"from_status": before, "to_status": after} for before, allowed in TRANSITIONS for after in allowed],
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
        "undeliverable_payments",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "reason IN ('expired_and_sold_out', 'cancelled', 'already_paid', 'unknown_order')",
            name=op.f("ck_undeliverable_payments_reason"),
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_undeliverable_payments")),
    )
    op.create_index(
        op.f("ix_undeliverable_payments_created_at_reference"),
        "undeliverable_payments",
        ["created_at", "reference"],
        unique=False,
    )
    op.create_table(
        "deliveries",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("payment_reference", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_deliveries_order_id_orders"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("payment_reference", name=op.f("uq_deliveries_payment_reference")),
    )
    op.create_index(
        op.f("ix_deliveries_delivered_at_order_id"), "deliveries", ["delivered_at", "order_id"], unique=False
    )
    op.create_table(
        "order_notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_notes_order_id_orders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_notes")),
        sa.UniqueConstraint("event_id", name=op.f("uq_order_notes_event_id")),
    )
    op.create_index(op.f("ix_order_notes_order_id_id"), "order_notes", ["order_id", "id"], unique=False)
    op.create_table(
        "order_addresses",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("postal_code", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_addresses_order_id_orders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_addresses")),
    )
    op.create_index(op.f("ix_order_addresses_created_at"), "order_addresses", ["created_at"], unique=False)
    op.create_table(
        "fulfilments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tracking", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("step IN ('pack', 'ship', 'deliver')", name=op.f("ck_fulfilments_step")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_fulfilments_order_id_orders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfilments")),
    )
    op.create_index(op.f("ix_fulfilments_order_id_id"), "fulfilments", ["order_id", "id"], unique=False)
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("kind", sa.Text(), server_default="digital", nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("low_stock", sa.BigInteger(), server_default=sa.text("5"), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("media", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("tag_ids", sa.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('shop_words', translate(normalize(regexp_replace(normalize(name, NFKD), '[\\u0300-\\u036f\\u0640\\u064b-\\u065f\\u0670]', '', 'g'), NFC), '/.@_-<>&', '        ')), 'A')"
                " || setweight(to_tsvector('shop_words', translate(normalize(regexp_replace(normalize(description, NFKD), '[\\u0300-\\u036f\\u0640\\u064b-\\u065f\\u0670]', '', 'g'), NFC), '/.@_-<>&', '        ')), 'B')"
                " || setweight(to_tsvector('shop_stems', translate(normalize(regexp_replace(normalize(name, NFKD), '[\\u0300-\\u036f\\u0640\\u064b-\\u065f\\u0670]', '', 'g'), NFC), '/.@_-<>&', '        ')), 'C')"
                " || setweight(to_tsvector('shop_stems', translate(normalize(regexp_replace(normalize(description, NFKD), '[\\u0300-\\u036f\\u0640\\u064b-\\u065f\\u0670]', '', 'g'), NFC), '/.@_-<>&', '        ')), 'D')"
                " || array_to_tsvector(ARRAY['#12:' || (number >> 12), '#14:' || (number >> 14), '#16:' || (number >> 16), '#18:' || (number >> 18), '#20:' || (number >> 20)])",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.CheckConstraint("status IN ('draft', 'active', 'archived')", name=op.f("ck_products_status")),
        sa.CheckConstraint("kind IN ('digital', 'service', 'shipped')", name=op.f("ck_products_kind")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_products_price")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_products_currency")),
        sa.CheckConstraint("name <> ''", name=op.f("ck_products_name")),
        sa.CheckConstraint("low_stock >= 0", name=op.f("ck_products_low_stock")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.id"], name=op.f("fk_products_category_id_categories"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("number", name=op.f("uq_products_number")),
        sa.UniqueConstraint("slug", name=op.f("uq_products_slug")),
    )
    op.create_index(
        op.f("ix_products_category_id_status_number"), "products", ["category_id", "status", "number"], unique=False
    )
    op.create_index(
        op.f("ix_products_status_currency_price_number"),
        "products",
        ["status", "currency", "price", "number"],
        unique=False,
    )
    op.create_index("ix_products_name", "products", ["status", sa.literal_column('"left"(lower(name), 80)'), "number"])
    op.create_index(op.f("ix_products_status_number"), "products", ["status", "number"], unique=False)
    op.create_index(
        "ix_products_search",
        "products",
        ["search", "tag_ids"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 512},
    )
    op.create_table(
        "variants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("prices", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_variants_product_id_products"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variants")),
        sa.UniqueConstraint("product_id", "options", name=op.f("uq_variants_product_id_options")),
        sa.UniqueConstraint("sku", name=op.f("uq_variants_sku")),
    )
    op.create_table(
        "stock_levels",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("backorder_limit", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("on_hand >= 0", name=op.f("ck_stock_levels_on_hand")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_stock_levels_reserved")),
        sa.CheckConstraint("backorder_limit >= 0", name=op.f("ck_stock_levels_backorder_limit")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variants.id"], name=op.f("fk_stock_levels_variant_id_variants"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("variant_id", name=op.f("pk_stock_levels")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "stock_movements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("on_hand_change", sa.BigInteger(), nullable=False),
        sa.Column("reserved_change", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('received', 'counted', 'reserved', 'released', 'sold', 'returned', 'written_off')",
            name=op.f("ck_stock_movements_kind"),
        ),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_stock_movements_quantity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_movements")),
    )
    op.create_index(op.f("ix_stock_movements_variant_id_id"), "stock_movements", ["variant_id", "id"], unique=False)
    op.create_table(
        "old_slugs",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_old_slugs_product_id_products"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_old_slugs")),
    )
    op.create_index(op.f("ix_old_slugs_product_id"), "old_slugs", ["product_id"], unique=False)
    op.create_table(
        "product_tags",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_product_tags_product_id_products"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_product_tags_tag_id_tags"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("product_id", "tag_id", name=op.f("pk_product_tags")),
    )
    op.create_index(op.f("ix_product_tags_tag_id_product_id"), "product_tags", ["tag_id", "product_id"], unique=False)
    op.create_table(
        "order_items",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("stock_state", sa.Text(), server_default="unlimited", nullable=False),
        sa.Column("kind", sa.Text(), server_default="digital", nullable=False),
        sa.Column("packed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("shipped", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("delivered", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("restocked", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_items_quantity")),
        sa.CheckConstraint("unit_price >= 0", name=op.f("ck_order_items_unit_price")),
        sa.CheckConstraint("name <> ''", name=op.f("ck_order_items_name")),
        sa.CheckConstraint(
            "0 <= delivered AND delivered <= shipped AND shipped <= packed", name=op.f("ck_order_items_steps")
        ),
        sa.CheckConstraint(
            "0 <= restocked AND packed <= quantity AND shipped + restocked <= quantity",
            name=op.f("ck_order_items_units"),
        ),
        sa.CheckConstraint("kind IN ('digital', 'service', 'shipped')", name=op.f("ck_order_items_kind")),
        sa.CheckConstraint(
            "stock_state IN ('unlimited', 'reserved', 'sold', 'released')", name=op.f("ck_order_items_stock_state")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_items_order_id_orders"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_order_items_product_id_products"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variants.id"], name=op.f("fk_order_items_variant_id_variants"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("order_id", "variant_id", name=op.f("pk_order_items")),
    )
    op.create_index(
        op.f("ix_order_items_product_id_created_at_order_id"),
        "order_items",
        ["product_id", "created_at", "order_id"],
        unique=False,
    )
    op.create_index(op.f("ix_order_items_variant_id"), "order_items", ["variant_id"], unique=False)
    op.create_index(
        "ix_order_items_reserved",
        "order_items",
        ["variant_id"],
        unique=False,
        postgresql_where=sa.text("stock_state = 'reserved'"),
    )

    op.execute(COPY_TAG_IDS)
    for event, rows in (("INSERT", "NEW"), ("DELETE", "OLD")):
        op.execute(
            f"CREATE TRIGGER copy_tag_ids_after_{event.lower()} AFTER {event} ON product_tags"
            f" REFERENCING {rows} TABLE AS changed_product_tags"
            " FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION copy_tag_ids()"
        )
    op.execute(REFUSE_CHANGE)
    for table in ("audit_log", "stock_movements"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    # The foreign key deletes the notes of a deleted order: then the trigger is inside another one.
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_notes"
        " FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change()"
    )
    for table in ("order_statuses", "order_status_transitions"):
        op.execute(
            f"CREATE TRIGGER fixed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(CHECK_TRANSITION)
    op.execute(
        "CREATE TRIGGER status_transition BEFORE UPDATE OF status ON orders FOR EACH ROW"
        " WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION check_order_status_transition()"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_ended_accounts_ended_at"), table_name="ended_accounts")
    op.drop_table("ended_accounts")
    op.drop_index(
        "ix_order_items_reserved", table_name="order_items", postgresql_where=sa.text("stock_state = 'reserved'")
    )
    op.drop_index(op.f("ix_order_items_variant_id"), table_name="order_items")
    op.drop_index(op.f("ix_order_items_product_id_created_at_order_id"), table_name="order_items")
    op.drop_table("order_items")
    op.drop_index(op.f("ix_product_tags_tag_id_product_id"), table_name="product_tags")
    op.drop_table("product_tags")
    op.drop_index(op.f("ix_old_slugs_product_id"), table_name="old_slugs")
    op.drop_table("old_slugs")
    op.drop_index(op.f("ix_stock_movements_variant_id_id"), table_name="stock_movements")
    op.drop_table("stock_movements")
    op.drop_table("stock_levels")
    op.drop_table("variants")
    op.drop_index("ix_products_search", table_name="products", postgresql_using="gin")
    op.drop_index(op.f("ix_products_status_number"), table_name="products")
    op.drop_index("ix_products_name", table_name="products")
    op.drop_index(op.f("ix_products_status_currency_price_number"), table_name="products")
    op.drop_index(op.f("ix_products_category_id_status_number"), table_name="products")
    op.drop_table("products")
    op.drop_index(op.f("ix_order_addresses_created_at"), table_name="order_addresses")
    op.drop_table("order_addresses")
    op.drop_index(op.f("ix_fulfilments_order_id_id"), table_name="fulfilments")
    op.drop_table("fulfilments")
    op.drop_index(op.f("ix_order_notes_order_id_id"), table_name="order_notes")
    op.drop_table("order_notes")
    op.drop_index(op.f("ix_deliveries_delivered_at_order_id"), table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_undeliverable_payments_created_at_reference"), table_name="undeliverable_payments")
    op.drop_table("undeliverable_payments")
    op.drop_table("outbox")
    op.drop_index(op.f("ix_order_status_transitions_to_status"), table_name="order_status_transitions")
    op.drop_table("order_status_transitions")
    op.drop_table("order_statuses")
    op.drop_index(
        "ix_orders_pending_of_programs",
        table_name="orders",
        postgresql_where=sa.text("status = 'pending' AND placed_by_program"),
    )
    op.drop_index(
        "ix_orders_external_id",
        table_name="orders",
        postgresql_where=sa.text("customer_external_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_orders_pending_guests",
        table_name="orders",
        postgresql_where=sa.text("status = 'pending' AND guest_limit_address IS NOT NULL"),
    )
    op.drop_index("ix_orders_pending", table_name="orders", postgresql_where=sa.text("status = 'pending'"))
    op.drop_index(
        "ix_orders_never_paid",
        table_name="orders",
        postgresql_where=sa.text("status IN ('expired', 'cancelled') AND payment_reference IS NULL"),
    )
    op.drop_index(op.f("ix_orders_search"), table_name="orders", postgresql_using="gin")
    op.drop_index("ix_orders_customer_email", table_name="orders")
    op.drop_index(op.f("ix_orders_amount_created_at_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_status_created_at_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_created_at_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_expires_at"), table_name="orders", postgresql_where=sa.text("status = 'pending'"))
    op.drop_index(op.f("ix_orders_customer_id_created_at_id"), table_name="orders")
    op.drop_table("orders")
    op.drop_index(op.f("ix_order_payments_order_id"), table_name="order_payments")
    op.drop_table("order_payments")
    op.drop_index(op.f("ix_inbox_status"), table_name="inbox", postgresql_where=sa.text("status = 'failed'"))
    op.drop_index(op.f("ix_inbox_received_at"), table_name="inbox", postgresql_using="brin")
    op.drop_index(op.f("ix_inbox_next_attempt_at"), table_name="inbox", postgresql_where=sa.text("status = 'pending'"))
    op.drop_table("inbox")
    op.drop_index(op.f("ix_idempotency_keys_created_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("tags")
    op.drop_index(op.f("ix_categories_parent_id_slug"), table_name="categories")
    op.drop_table("categories")
    op.drop_index(op.f("ix_audit_log_subject_id"), table_name="audit_log")
    op.drop_index(op.f("ix_audit_log_actor_id"), table_name="audit_log")
    op.drop_table("audit_log")
    op.drop_table("lexeme_progress")
    op.drop_index("ix_lexemes_lexeme", table_name="lexemes", postgresql_using="gin")
    op.drop_table("lexemes")
    for statement in (
        "FUNCTION refuse_change()",
        "FUNCTION copy_tag_ids()",
        "FUNCTION check_order_status_transition()",
    ):
        op.execute(f"DROP {statement}")
    for configuration in ("shop_words", "shop_stems"):
        op.execute(f"DROP TEXT SEARCH CONFIGURATION {configuration}")
    for extension in ("pg_trgm", "unaccent"):
        op.execute(f"DROP EXTENSION {extension}")
