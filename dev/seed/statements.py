"""The SQL of the seed. Values come from hashes of the row's number, so that each run makes the same rows, except for some
times.

A statement inserts the rows with the numbers from $1 to $2, and leaves those that exist.
"""

CATEGORIES = 5000
TAGS = 1000
ORDERS = 200_000
CUSTOMERS = 20_000
ALPHABET = "'23456789ABCDEFGHJKMNPQRSTUVWXYZ'"
"""The characters of order numbers. 31 to the power of 7 is 27,512,614,111."""

# A number from 0 to 1, exclusive, for a row and a purpose.
_RANDOM = "((hashint8extended({n}, {purpose}) & 2147483647) / 2147483648.0)"


def _random(purpose: int | str, n: str = "n") -> str:
    return _RANDOM.format(n=n, purpose=purpose)


# A tree of five levels: 20 categories at the top, with 10, 5, 2 and at most 1 category below each.
INSERT_CATEGORIES = """
INSERT INTO categories (id, slug, name, parent_id)
SELECT md5('category ' || n)::uuid, 'seed-category-' || n, 'Category ' || n,
    CASE WHEN n <= 20 THEN NULL ELSE md5('category ' || CASE
        WHEN n <= 220 THEN 1 + (n - 21) / 10
        WHEN n <= 1220 THEN 21 + (n - 221) / 5
        WHEN n <= 3220 THEN 221 + (n - 1221) / 2
        ELSE 1221 + (n - 3221) % 2000
    END)::uuid END
FROM generate_series($1::bigint, $2::bigint) AS n ORDER BY n
ON CONFLICT DO NOTHING
"""

INSERT_TAGS = """
INSERT INTO tags (id, name)
SELECT md5('tag ' || n)::uuid, lower(($3::text[])[n]) FROM generate_series($1::bigint, $2::bigint) AS n ORDER BY n
ON CONFLICT DO NOTHING
"""

# {tags}: the parameter with the names of the tags.
_TAG_PICKS = f"""
    SELECT n, tags.id AS tag_id, min(position) AS position
    FROM generate_series($1::bigint, $2::bigint) AS n
    CROSS JOIN generate_series(1, (5 * {_random(20)})::integer) AS position
    JOIN tags ON tags.name = lower(({{tags}}::text[])[1 + floor({TAGS} * power({_random("20 + position")}, 3))::integer])
    GROUP BY n, tags.id
"""

# $3: the vocabulary, $4: the number of categories, $5: the names of the tags. The trigger that copies the ids of the tags to the products
# then finds nothing to change.
INSERT_PRODUCTS = f"""
WITH words AS (SELECT word, rank FROM unnest($3::text[]) WITH ORDINALITY AS words (word, rank)),
picks AS (
    SELECT n, position, 1 + floor(cardinality($3::text[]) * power({_random("position")}, 4))::bigint AS rank
    FROM generate_series($1::bigint, $2::bigint) AS n CROSS JOIN generate_series(1, 12) AS position
),
texts AS (
    SELECT n, string_agg(word, ' ' ORDER BY position) FILTER (WHERE position <= 3) AS name,
        string_agg(word, ' ' ORDER BY position) FILTER (WHERE position > 3) AS description
    FROM picks JOIN words USING (rank) GROUP BY n
),
tagged AS (
    SELECT n, array_agg(tag_id ORDER BY position) AS tag_ids FROM ({_TAG_PICKS.format(tags="$5")}) AS picks GROUP BY n
)
INSERT INTO products
    (id, slug, name, description, status, price, currency, category_id, options, tag_ids, created_at, updated_at)
SELECT md5('product ' || n)::uuid, 'seed-product-' || n, initcap(name) || ' KX' || to_char(n, 'FM000000'),
    initcap(left(description, 1)) || substr(description, 2) || '.',
    CASE WHEN {_random(101)} < 0.97 THEN 'active' WHEN {_random(101)} < 0.99 THEN 'archived' ELSE 'draft' END,
    100 * (1 + floor(power(10, 1 + 4 * {_random(102)})))::bigint,
    CASE WHEN {_random(103)} < 0.8 THEN 'NGN' WHEN {_random(103)} < 0.88 THEN 'USD' WHEN {_random(103)} < 0.94 THEN 'GHS'
        WHEN {_random(103)} < 0.98 THEN 'KES' WHEN {_random(103)} < 0.999 THEN 'ZAR' ELSE 'XOF' END,
    CASE WHEN {_random(104)} < 0.95
        THEN md5('category ' || 1 + floor($4::bigint * power({_random(105)}, 2))::bigint)::uuid END,
    CASE WHEN n % 20 = 7 THEN '["size"]'::jsonb ELSE '[]' END,
    coalesce(tag_ids, '{{}}'), moment, moment
FROM texts LEFT JOIN tagged USING (n)
CROSS JOIN LATERAL (SELECT timestamptz '2024-01-01 00:00:00Z' + n * interval '60 s') AS moments (moment)
ORDER BY n
ON CONFLICT DO NOTHING
"""

INSERT_PRODUCT_TAGS = f"""
INSERT INTO product_tags (product_id, tag_id)
SELECT products.id, tag_id FROM ({_TAG_PICKS.format(tags="$3")}) AS picks JOIN products ON products.id = md5('product ' || n)::uuid
ORDER BY n, position
ON CONFLICT DO NOTHING
"""

# Every fifth product has no level: its stock is unlimited. The movements add up to the levels.
INSERT_VARIANTS = f"""
WITH new AS (
    SELECT CASE WHEN n % 20 = 7 THEN md5('variant ' || n || size)::uuid ELSE products.id END AS id, products.id AS product_id,
        CASE WHEN size <> '' THEN 'SEED-' || n || '-' || size END AS sku,
        CASE WHEN size <> '' THEN jsonb_build_object('size', size) ELSE '{{}}' END AS options,
        CASE WHEN size = 'L' THEN jsonb_build_object(currency, price + 50000) ELSE '{{}}' END AS prices,
        CASE WHEN n % 5 = 0 THEN NULL WHEN {_random(111)} < 0.05 THEN 0 WHEN {_random(111)} < 0.12
            THEN 1 + floor(5 * {_random(112)})::bigint ELSE 6 + floor(200 * {_random(112)})::bigint END AS on_hand
    FROM generate_series($1::bigint, $2::bigint) AS n
    CROSS JOIN LATERAL unnest(CASE WHEN n % 20 = 7 THEN ARRAY['S', 'M', 'L'] ELSE ARRAY[''] END) AS size
    JOIN products ON products.id = md5('product ' || n)::uuid
), inserted AS (
    INSERT INTO variants (id, product_id, sku, options, prices)
    SELECT id, product_id, sku, options, prices FROM new ORDER BY product_id, sku
    ON CONFLICT DO NOTHING RETURNING id
), levels AS (
    INSERT INTO stock_levels (variant_id, on_hand)
    SELECT id, on_hand FROM new JOIN inserted USING (id) WHERE on_hand IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING variant_id, on_hand
)
INSERT INTO stock_movements (variant_id, kind, quantity, on_hand_change, reserved_change, actor, reason)
SELECT variant_id, 'received', on_hand, on_hand, 0, 'seed', 'seed' FROM levels WHERE on_hand > 0
"""

# $3: the number of products. Only products with unlimited stock are ordered, so the levels stay right.
INSERT_ORDERS = f"""
WITH picks AS (
    SELECT n, position, products.id, products.slug, products.name, products.price, products.currency,
        first_value(products.currency) OVER (PARTITION BY n ORDER BY position) AS first_currency
    FROM generate_series($1::bigint, $2::bigint) AS n CROSS JOIN generate_series(1, 1 + n % 3) AS position
    JOIN products ON products.id = md5('product ' || 5 * (1 + floor({_random("120 + position")} * ($3::bigint / 5))::bigint))::uuid
), items AS (
    SELECT DISTINCT ON (n, id) n, position, id, slug, name, price, currency, 1 + (n + position) % 3 AS quantity
    FROM picks WHERE currency = first_currency ORDER BY n, id, position
), new AS (
    SELECT n, md5('order ' || n)::uuid AS id, floor({CUSTOMERS} * {_random(131)})::bigint AS customer,
        sum(price * quantity)::bigint AS amount, min(currency) AS currency,
        CASE WHEN {_random(132)} < 0.7 THEN 'delivered' WHEN {_random(132)} < 0.8 THEN 'cancelled'
            WHEN {_random(132)} < 0.96 THEN 'expired' ELSE 'refunded' END AS status,
        now() - interval '400 days' + n * interval '170 s' AS created_at
    FROM items GROUP BY n
), numbers AS (
    SELECT n, string_agg(substr({ALPHABET}, 1 + digit::integer, 1), '' ORDER BY place) AS digits,
        substr({ALPHABET}, 1 + ((31 - sum((place + 2) * digit) % 31) % 31)::integer, 1) AS check_character
    FROM new CROSS JOIN generate_series(0, 6) AS place
    CROSS JOIN LATERAL (SELECT n * 9999999967 % 27512614111 / (31 ^ place)::bigint % 31) AS digits (digit) GROUP BY n
), inserted AS (
    INSERT INTO orders (id, number, customer_id, customer_email, customer_name, status, amount, currency, payment_reference,
        created_at, expires_at)
    SELECT id, left(digits, 4) || '-' || substr(digits, 5) || check_character, md5('customer ' || customer)::uuid::text,
        'customer' || customer || '@example.com', 'Customer ' || customer,
        status, amount, currency, CASE WHEN status IN ('delivered', 'refunded') THEN 'seed-' || n END,
        created_at, created_at + interval '15 minutes'
    FROM new JOIN numbers USING (n) ORDER BY n
    ON CONFLICT DO NOTHING RETURNING id
), new_items AS (
    INSERT INTO order_items (order_id, variant_id, product_id, position, name, slug, quantity, unit_price, stock_state)
    SELECT new.id, items.id, items.id, items.position, items.name, items.slug, items.quantity, items.price, 'unlimited'
    FROM inserted JOIN new USING (id) JOIN items USING (n) ORDER BY n, items.position
), payments AS (
    INSERT INTO order_payments (reference, order_id, outcome, refunded_amount, fully_refunded, created_at)
    SELECT 'seed-' || n, id, status, CASE WHEN status = 'refunded' THEN amount ELSE 0 END, status = 'refunded', created_at
    FROM inserted JOIN new USING (id) WHERE status IN ('delivered', 'refunded') ORDER BY n
)
INSERT INTO deliveries (order_id, payment_reference, delivered_at)
SELECT id, 'seed-' || n, created_at + interval '2 minutes'
FROM inserted JOIN new USING (id) WHERE status IN ('delivered', 'refunded') ORDER BY n
"""
