"""Metrics of auth."""

from prometheus_client import Counter

token_requests_total = Counter(
    "auth_token_requests_total", "Token requests by grant type and result", ["grant", "result"]
)
