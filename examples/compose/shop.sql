CREATE TABLE orders (
    order_id varchar(40) PRIMARY KEY,
    customer_name varchar(120),
    status varchar(20),
    total_amount numeric(12, 2),
    order_date date,
    updated_at timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
CREATE INDEX orders_changed ON orders (updated_at);
INSERT INTO orders (order_id, customer_name, status, total_amount, order_date)
SELECT 'SO-' || number, 'Customer ' || number % 97, 'New', number % 500 + 0.99, DATE '2026-01-01' + number % 300
FROM generate_series(1, 1000) AS number;
