"""SQL of an order, as catalog sends it (services/catalog/orders/)."""

LINES = """
SELECT variants.id, variants.product_id, products.name, products.slug, variants.sku, variants.options,
    stock_levels.on_hand - stock_levels.reserved + stock_levels.backorder_limit AS orderable, stock_levels.on_hand,
    products.low_stock, products.status, products.kind, products.price, products.currency, variants.prices
FROM variants JOIN products ON products.id = variants.product_id
LEFT OUTER JOIN stock_levels ON stock_levels.variant_id = variants.id
WHERE variants.id = ANY($1::uuid[])
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))"
HELD = """
SELECT
    (SELECT count(*) FROM (SELECT FROM orders WHERE customer_id = $1 AND status = 'pending' LIMIT $3) AS own) AS pending,
    (SELECT count(*) FROM (
        SELECT FROM orders WHERE guest_limit_address = $2::text AND status = 'pending' LIMIT $4
    ) AS guests) AS guests,
    (SELECT coalesce(jsonb_object_agg(variant_id, units), '{}') FROM (
        SELECT variant_id, sum(quantity) AS units FROM orders JOIN order_items ON order_id = orders.id
        WHERE customer_id = $1 AND status = 'pending' AND stock_state = 'reserved' AND variant_id = ANY($5::uuid[])
        GROUP BY variant_id
    ) AS held) AS reserved,
    EXISTS (
        SELECT FROM idempotency_keys WHERE caller = $1 AND operation = $6::text AND key = $7::text
    ) AS repeated
"""
RESERVE = """
WITH requested AS (
    SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS requested (variant_id, quantity)
), locked AS (
    SELECT variant_id, requested.quantity FROM stock_levels JOIN requested USING (variant_id)
    ORDER BY variant_id FOR NO KEY UPDATE OF stock_levels
), changed AS (
    UPDATE stock_levels SET reserved = reserved + locked.quantity FROM locked
    WHERE stock_levels.variant_id = locked.variant_id
    AND stock_levels.on_hand - stock_levels.reserved + stock_levels.backorder_limit >= locked.quantity
    RETURNING stock_levels.variant_id, locked.quantity, on_hand - reserved + backorder_limit AS orderable
), recorded AS (
    INSERT INTO stock_movements (variant_id, kind, quantity, on_hand_change, reserved_change, order_id, actor)
    SELECT variant_id, 'reserved', quantity, 0, quantity, $3::uuid, $4::text FROM changed
)
SELECT variant_id, orderable FROM changed
"""
INSERT = """
WITH new_order AS (
    INSERT INTO orders (id, number, customer_id, customer_email, status, amount, currency, created_at, expires_at)
    VALUES ($1, $18, $2, $3, 'pending', $4, $5, $6, $7) ON CONFLICT (number) DO NOTHING RETURNING id
), new_items AS (
    INSERT INTO order_items (order_id, position, variant_id, product_id, name, slug, sku, options, quantity, unit_price, kind, stock_state)
    SELECT new_order.id, 0, item.*, 'digital', 'reserved' FROM new_order CROSS JOIN
    unnest($8::uuid[], $9::uuid[], $10::text[], $11::text[], $12::text[], $13::jsonb[], $14::bigint[], $15::bigint[]) AS item
), new_key AS (
    INSERT INTO idempotency_keys (caller, operation, key, fingerprint, status, body)
    SELECT $2, 'place_order', $16::text, '', 201, $17::jsonb FROM new_order
)
SELECT id FROM new_order
"""
