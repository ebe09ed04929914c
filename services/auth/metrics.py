"""Metrics of auth."""

from prometheus_client import Counter

token_requests_total = Counter(
    "auth_token_requests_total",
    "Token requests and refused revocations. grant: the grant type, or `refused`. result: `granted` or the error code of RFC 6749",
    ["grant", "result"],
)
