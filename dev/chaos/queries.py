"""SQL of the snapshot: the rows of both databases that the invariants compare."""

PAYMENTS = {
    "payments": """
        SELECT id, reference, order_id, amount, currency, status, held_reason, paid_amount, paid_currency,
            refunded_amount, fees FROM payments
    """,
    "refunds": "SELECT r.*, p.reference FROM refunds r JOIN payments p ON p.id = r.payment_id",
    "decisions": "SELECT p.reference FROM decisions d JOIN payments p ON p.id = d.payment_id",
    "ledger": """
        SELECT p.reference,
            sum(e.amount) FILTER (WHERE t.kind = 'received' AND e.line = 1) AS received,
            sum(e.amount) FILTER (WHERE t.kind = 'fee' AND e.line = 1) AS fee,
            sum(e.amount) FILTER (WHERE t.kind = 'refunded' AND e.line = 1) AS refunded,
            -sum(e.amount) FILTER (WHERE e.account = 'held') AS held
        FROM payments p JOIN ledger_transactions t ON t.payment_id = p.id
        JOIN ledger_entries e ON e.transaction_id = t.id GROUP BY p.reference
    """,
    "unbalanced": """
        SELECT currency, sum(amount) AS amount FROM ledger_entries GROUP BY currency HAVING sum(amount) <> 0
        UNION ALL
        SELECT currency, sum(amount) FROM ledger_entries GROUP BY transaction_id, currency HAVING sum(amount) <> 0
    """,
}
CATALOG = {
    "orders": "SELECT id, customer_id, status, amount, currency, payment_reference FROM orders",
    "deliveries": "SELECT order_id, payment_reference, delivered_at FROM deliveries",
    "order_payments": "SELECT reference, order_id, outcome FROM order_payments",
    "negative_stock": "SELECT id, stock FROM products WHERE stock < 0",
    "stock": """
        SELECT p.id, p.stock,
            coalesce(sum(i.quantity) FILTER (WHERE i.reserved AND o.status = 'pending'), 0) AS reserved,
            coalesce(sum(i.quantity) FILTER (WHERE i.reserved AND o.status IN ('paid', 'delivered')), 0) AS sold,
            coalesce(sum(i.quantity) FILTER (
                WHERE i.reserved <> (o.status IN ('pending', 'paid', 'delivered'))), 0) AS mismatched
        FROM products p LEFT JOIN order_items i ON i.product_id = p.id LEFT JOIN orders o ON o.id = i.order_id
        WHERE p.stock IS NOT NULL GROUP BY p.id, p.stock
    """,
}
# The work queues of each service. When all work is done, they hold finished entries only.
UNFINISHED = {
    "payments": {
        "webhook_events": "SELECT status AS state, key, error FROM webhook_events WHERE status <> 'processed'",
        "inbox": "SELECT status AS state, key, error FROM inbox WHERE status <> 'processed'",
        "outbox": "SELECT 'unpublished' AS state, type AS key, error FROM outbox",
        "refunds": """
            SELECT status AS state, id::text AS key, error FROM refunds
            WHERE status IN ('requested', 'pending', 'processing')
        """,
    },
    "catalog": {
        "inbox": "SELECT status AS state, key, error FROM inbox WHERE status <> 'processed'",
        "outbox": "SELECT 'unpublished' AS state, type AS key, error FROM outbox",
    },
}
CONNECTIONS = """
    SELECT application_name AS name, coalesce(state, '') AS state,
        coalesce(extract(epoch FROM now() - state_change), 0)::float AS seconds
    FROM pg_stat_activity
    WHERE usename = current_user AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
WEBHOOK_EVENT_COUNT = "SELECT count(*) AS count FROM webhook_events"
