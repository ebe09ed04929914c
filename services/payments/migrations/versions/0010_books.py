"""a movement is checked for its entries at its statement, all of a statement at once, no longer one by one at the commit"""

from collections.abc import Sequence

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# That entries balance, per movement and currency, is checked where they are added: here is left that there are any.
# Nested loops and the primary key alone: a plan that was made for small tables is kept, and must not read large ones.
WHOLE = """
CREATE OR REPLACE FUNCTION ledger_require_entries() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong text;
BEGIN
    SELECT key INTO wrong FROM added
    WHERE NOT EXISTS (SELECT FROM ledger_entries AS e WHERE e.transaction_id = added.id AND e.line = 1) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % has no entries', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

ONE_BY_ONE = """
CREATE OR REPLACE FUNCTION ledger_require_entries() RETURNS trigger LANGUAGE plpgsql AS $$
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


def upgrade() -> None:
    op.execute("DROP TRIGGER whole ON ledger_transactions")
    op.execute(WHOLE)
    op.execute(
        "CREATE TRIGGER whole AFTER INSERT ON ledger_transactions REFERENCING NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger_require_entries()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER whole ON ledger_transactions")
    op.execute(ONE_BY_ONE)
    op.execute(
        "CREATE CONSTRAINT TRIGGER whole AFTER INSERT ON ledger_transactions DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION ledger_require_entries()"
    )
