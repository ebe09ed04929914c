"""Metrics of auth."""

from prometheus_client import Counter

token_requests_total = Counter(
    "auth_token_requests_total",
    "Token requests by grant type (`refused` for all refusals) and result (`granted` or the error code)",
    ["grant", "result"],
)
