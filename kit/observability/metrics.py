"""Metrics of HTTP requests."""

from prometheus_client import Counter, Histogram

requests_total = Counter("http_requests_total", "HTTP requests", ["method", "route", "status"])
request_seconds = Histogram(
    "http_request_seconds",
    "Duration of HTTP requests in seconds",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
