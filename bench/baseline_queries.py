"""SQL of the baseline: the writes that the shop makes for one batch of purchases."""

WEBHOOK_EVENTS = """
INSERT INTO webhook_events (key, body, headers)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::jsonb[]) ON CONFLICT (key) DO NOTHING
"""
DUE = "SELECT id, body FROM webhook_events WHERE status = 'pending' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
PAYMENTS = """
UPDATE payments SET status = 'succeeded', paystack_id = paid.id, paid_amount = paid.amount, paid_currency = paid.currency,
    fees = paid.fees, domain = 'test', channel = 'card', gateway_response = 'Successful', paid_at = now(), updated_at = now()
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[]) AS paid (reference, id, amount, currency, fees)
WHERE payments.reference = paid.reference AND status = 'pending'
    AND payments.amount = paid.amount AND payments.currency = paid.currency
RETURNING payments.id, payments.reference, order_id, payments.amount, payments.currency, payments.fees, paid_at
"""
LEDGER = """
WITH paid AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
        AS paid (payment_id, reference, received, fee, currency)
), made AS (
    INSERT INTO ledger_transactions (key, kind, payment_id, occurred_at)
    SELECT kind || ':' || reference, kind, payment_id, now() FROM paid CROSS JOIN (VALUES ('received'), ('fee')) AS kinds (kind)
    RETURNING id, kind, payment_id
)
INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)
SELECT made.id, line, account, currency, sign * CASE kind WHEN 'fee' THEN fee ELSE received END
FROM made JOIN paid USING (payment_id)
JOIN (VALUES ('received', 1, 'paystack:receivable', 1), ('received', 2, 'sales', -1),
             ('fee', 1, 'fees', 1), ('fee', 2, 'paystack:receivable', -1)) AS side (kind, line, account, sign) USING (kind)
"""
OUTBOX = """
INSERT INTO outbox (event_id, type, body) SELECT id, 'payment.succeeded', body FROM unnest($1::uuid[], $2::bytea[]) AS event (id, body)
"""
PROCESSED = """
UPDATE webhook_events SET status = 'processed', attempts = 1, processed_at = now(),
    event = 'charge.success', outcome = 'succeeded', reference = done.reference, identity = 'charge.success:' || done.charge
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS done (id, reference, charge) WHERE webhook_events.id = done.id
"""
INBOX = """
INSERT INTO inbox (key, body, status, attempts, processed_at)
SELECT key, body, 'processed', 1, now() FROM unnest($1::text[], $2::bytea[]) AS event (key, body)
ON CONFLICT (key) DO NOTHING RETURNING key
"""
ORDERS = """
UPDATE orders SET status = 'delivered', payment_reference = paid.reference
FROM unnest($1::uuid[], $2::text[]) AS paid (id, reference) WHERE orders.id = paid.id AND status = 'pending'
"""
ORDER_PAYMENTS = """
INSERT INTO order_payments (reference, order_id, outcome)
SELECT reference, id, 'delivered' FROM unnest($1::uuid[], $2::text[]) AS paid (id, reference)
"""
DELIVERIES = "INSERT INTO deliveries (order_id, payment_reference) SELECT * FROM unnest($1::uuid[], $2::text[])"
