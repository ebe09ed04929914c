"""Metrics of orders. The names are part of the operators' interface."""

from prometheus_client import Counter

orders_expired = Counter("orders_expired_total", "Orders that expired before they were paid")
orders_delivered = Counter("orders_delivered_total", "Orders delivered")
orders_undeliverable = Counter(
    "orders_undeliverable_total", "Payments for which the order could not be fulfilled, by reason", ["reason"]
)
