"""SQL of the account's settings. All functions run in the store's thread."""

import sqlite3


def find_session_timeout(connection: sqlite3.Connection) -> int:
    """Return the seconds for which an unpaid checkout lives; 0 if a checkout has no end."""
    row = connection.execute("SELECT payment_session_timeout FROM integration").fetchone()
    return int(row[0]) if row else 0


def save_session_timeout(connection: sqlite3.Connection, seconds: int) -> None:
    connection.execute("REPLACE INTO integration (id, payment_session_timeout) VALUES (1, ?)", (seconds,))
