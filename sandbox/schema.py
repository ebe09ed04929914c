"""The tables, as the steps that made them: a database of an earlier sandbox gets those that it lacks."""

import sqlite3

FIRST = """
CREATE TABLE IF NOT EXISTS transactions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  reference TEXT NOT NULL UNIQUE,
  access_code TEXT NOT NULL UNIQUE,
  domain TEXT NOT NULL,
  status TEXT NOT NULL,
  email TEXT NOT NULL,
  customer INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  requested_amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  fees INTEGER,
  metadata TEXT,
  callback_url TEXT,
  label TEXT,
  ip_address TEXT,
  message TEXT,
  gateway_response TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  paid_at INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS webhooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  event TEXT NOT NULL,
  reference TEXT,
  body BLOB NOT NULL,
  signature TEXT,
  state TEXT NOT NULL DEFAULT 'pending',
  sending INTEGER NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0,
  attempts TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS webhooks_due ON webhooks (state, next_at);
CREATE INDEX IF NOT EXISTS webhooks_of ON webhooks (reference);
"""

REFUNDS = """
ALTER TABLE transactions ADD COLUMN channel TEXT NOT NULL DEFAULT 'card';
ALTER TABLE transactions ADD COLUMN card TEXT NOT NULL DEFAULT '4084084084084081';
CREATE TABLE refunds (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  transaction_id INTEGER NOT NULL,
  reference TEXT NOT NULL,
  email TEXT NOT NULL,
  domain TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  status TEXT NOT NULL,
  ending TEXT NOT NULL,
  customer_note TEXT NOT NULL,
  merchant_note TEXT NOT NULL,
  dispute INTEGER,
  settlement INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  refunded_at INTEGER,
  next_at INTEGER
) STRICT;
CREATE INDEX refunds_of ON refunds (transaction_id);
CREATE INDEX refunds_due ON refunds (next_at) WHERE next_at IS NOT NULL;
"""

EVENTS = """
ALTER TABLE webhooks ADD COLUMN category TEXT NOT NULL DEFAULT 'other';
ALTER TABLE webhooks ADD COLUMN row_id INTEGER;
ALTER TABLE webhooks ADD COLUMN copy INTEGER NOT NULL DEFAULT 0;
"""

DISPUTES = """
CREATE TABLE disputes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  transaction_id INTEGER NOT NULL,
  domain TEXT NOT NULL,
  status TEXT NOT NULL,
  resolution TEXT,
  refund_amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  category TEXT NOT NULL,
  complaint TEXT NOT NULL,
  answer TEXT,
  attachments TEXT,
  evidence TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  resolved_at INTEGER,
  next_at INTEGER
) STRICT;
CREATE INDEX disputes_of ON disputes (transaction_id);
CREATE INDEX disputes_due ON disputes (next_at) WHERE next_at IS NOT NULL;
"""

SETTLEMENTS = """
ALTER TABLE transactions ADD COLUMN log TEXT;
ALTER TABLE transactions ADD COLUMN entry_point TEXT NOT NULL DEFAULT 'transaction_initialize';
ALTER TABLE transactions ADD COLUMN settlement INTEGER;
CREATE TABLE authorizations (
  number INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  card TEXT NOT NULL,
  active INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE settlements (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain TEXT NOT NULL,
  currency TEXT NOT NULL,
  processed INTEGER NOT NULL,
  fees INTEGER NOT NULL,
  deductions INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
"""

CHANNELS = """
ALTER TABLE authorizations ADD COLUMN channel TEXT NOT NULL DEFAULT 'card';
"""

STEPS = (FIRST, REFUNDS, EVENTS, DISPUTES, SETTLEMENTS, CHANNELS)

NUMBERED = {"transactions": 1, "refunds": 10, "disputes": 100, "settlements": 1_000}
"""Their ids go on from the clock: past 32 bits, and never those that an earlier, forgotten database gave out. Each table from
another part of it, in milliseconds: no number stands for two things."""


def bring_up_to_date(connection: sqlite3.Connection, at: int) -> None:
    """`at`: milliseconds since 1970."""
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    for number, step in enumerate(STEPS[done:], done + 1):
        connection.executescript(f"BEGIN IMMEDIATE;{step}PRAGMA user_version = {number};COMMIT;")
    for table, part in NUMBERED.items():
        connection.execute(
            "INSERT INTO sqlite_sequence SELECT :table, :at WHERE NOT EXISTS"
            " (SELECT 1 FROM sqlite_sequence WHERE name = :table)",
            {"table": table, "at": at // part},
        )
