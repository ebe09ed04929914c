"""Metrics of HTTP requests and of the code that runs."""

import platform

from prometheus_client import Counter, Gauge, Histogram

from kit.version import VERSION

requests_total = Counter("http_requests_total", "HTTP requests", ["method", "route", "status"])
request_duration = Histogram(
    "http_request_duration_seconds",
    "Duration of HTTP requests in seconds",
    ["method", "route"],
    # The longest requests end after a minute at the gateway.
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
build_info = Gauge(
    "build_info",
    "Always 1; the labels are the version of this code and of Python",
    ["version", "python"],
    multiprocess_mode="max",
)
build_info.labels(VERSION, platform.python_version()).set(1)
