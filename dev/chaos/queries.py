"""SQL of the snapshot: the rows of payments and catalog that the invariants compare, and the unfinished work of all services.

Stock is counted by variant, and its `id` is that of the variant. A product without options has one variant, with the same id.
"""

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
    "negative_stock": """
        SELECT variant_id AS id, on_hand - reserved AS stock FROM stock_levels WHERE on_hand < reserved
    """,
    "stock": """
        SELECT s.variant_id AS id, s.on_hand, s.reserved,
            coalesce(sum(i.quantity) FILTER (WHERE o.status = 'pending'), 0) AS pending,
            coalesce(sum(i.quantity - i.restocked) FILTER (WHERE i.stock_state = 'sold'), 0) AS sold,
            coalesce(sum(i.quantity) FILTER (WHERE i.stock_state <> CASE
                WHEN o.status = 'pending' THEN 'reserved'
                WHEN o.status IN ('paid', 'delivered') THEN 'sold'
                WHEN o.status = 'refunded' AND (d.order_id IS NOT NULL OR i.shipped > 0) THEN 'sold'
                ELSE 'released' END), 0) AS mismatched,
            (SELECT coalesce(sum(on_hand_change), 0) FROM stock_movements m WHERE m.variant_id = s.variant_id) AS moved,
            (SELECT coalesce(sum(reserved_change), 0) FROM stock_movements m WHERE m.variant_id = s.variant_id)
                AS moved_reserved
        FROM stock_levels s LEFT JOIN order_items i ON i.variant_id = s.variant_id
        LEFT JOIN orders o ON o.id = i.order_id LEFT JOIN deliveries d ON d.order_id = o.id GROUP BY s.variant_id, s.on_hand, s.reserved
    """,
}
# When all work of a service is done, these queries find no row.
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
    "auth": {
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
