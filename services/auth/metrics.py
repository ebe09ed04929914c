"""Metrics of auth."""

from prometheus_client import Counter

token_requests_total = Counter(
    "auth_token_requests_total",
    "Token requests. grant: the grant type, or `refused` for all refused requests. result: `granted` or the error code",
    ["grant", "result"],
)
