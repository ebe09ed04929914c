import sqlite3

VERSION = 8
"""Increase this number with every change of TABLES. There are no migrations: a database of another version is refused."""

TABLES = """
CREATE TABLE transactions (
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
  paid_at INTEGER,
  channel TEXT NOT NULL DEFAULT 'card',
  card TEXT NOT NULL DEFAULT '4084084084084081',
  timeline TEXT,
  entry_point TEXT NOT NULL DEFAULT 'transaction_initialize',
  settlement INTEGER,
  channels TEXT,
  expires_at INTEGER
) STRICT;

CREATE TABLE integration (
  id INTEGER PRIMARY KEY,
  payment_session_timeout INTEGER NOT NULL
) STRICT;

CREATE TABLE pending_charges (
  transaction_id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  provider TEXT,
  phone TEXT,
  status TEXT NOT NULL,
  problem TEXT,
  opened_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  account_closed INTEGER NOT NULL,
  arriving_amount INTEGER,
  deliveries INTEGER,
  delay_ms INTEGER,
  next_step_at INTEGER
) STRICT;
CREATE INDEX pending_charges_due ON pending_charges (next_step_at) WHERE next_step_at IS NOT NULL;

CREATE TABLE authorizations (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  card TEXT NOT NULL,
  channel TEXT NOT NULL,
  active INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE webhooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  event TEXT NOT NULL,
  category TEXT NOT NULL,
  row_id INTEGER,
  reference TEXT,
  body BLOB NOT NULL,
  signature TEXT,
  state TEXT NOT NULL,
  copy INTEGER NOT NULL,
  sending INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  attempt_log TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_due ON webhooks (state, next_attempt_at);
CREATE INDEX webhooks_reference ON webhooks (reference);

CREATE TABLE refunds (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  transaction_id INTEGER NOT NULL,
  reference TEXT NOT NULL,
  email TEXT NOT NULL,
  domain TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  status TEXT NOT NULL,
  final_status TEXT NOT NULL,
  customer_note TEXT NOT NULL,
  merchant_note TEXT NOT NULL,
  dispute INTEGER,
  settlement INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  refunded_at INTEGER,
  next_step_at INTEGER
) STRICT;
CREATE INDEX refunds_transaction ON refunds (transaction_id);
CREATE INDEX refunds_due ON refunds (next_step_at) WHERE next_step_at IS NOT NULL;

CREATE TABLE disputes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  transaction_id INTEGER NOT NULL,
  domain TEXT NOT NULL,
  status TEXT NOT NULL,
  resolution TEXT,
  refund_amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  category TEXT NOT NULL,
  payer_message TEXT NOT NULL,
  merchant_message TEXT,
  attachments TEXT,
  evidence TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  resolved_at INTEGER,
  next_step_at INTEGER
) STRICT;
CREATE INDEX disputes_transaction ON disputes (transaction_id);
CREATE INDEX disputes_due ON disputes (next_step_at) WHERE next_step_at IS NOT NULL;

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

FIRST_ID_DIVISORS = {"transactions": 1, "refunds": 10, "disputes": 100, "settlements": 1_000}
"""The ids of a table start at the current time in milliseconds divided by this number. Ids are therefore unique across these tables, and
are not reused after the database was deleted. Only the ids of settlements fit into 32 bits."""


class WrongSchemaVersion(Exception):
    """The sandbox database was made by another version of the sandbox. Delete the file and start again."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def create_tables(connection: sqlite3.Connection, at: int) -> None:
    """Create the tables in an empty database. `at`: milliseconds since 1970. Raises WrongSchemaVersion."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version:
        raise WrongSchemaVersion
    connection.executescript("BEGIN IMMEDIATE;" + TABLES)
    for table, divisor in FIRST_ID_DIVISORS.items():
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, at // divisor))
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
