"""Metrics of auth."""

from prometheus_client import Counter, Gauge

token_requests_total = Counter(
    "auth_token_requests_total",
    "Requests for tokens and for new guests, and refused requests for revocation. grant: the grant type, `guest`, or `refused` for every "
    "refused request. result: `granted` or the error code of RFC 6749",
    ["grant", "result"],
)

throttled_total = Counter(
    "auth_throttled_total",
    "Requests that a limit refused: logins, passwords of logged-in accounts, registrations, new guests and requests for mails. "
    "limit: `name`, `device`, `account`, `mail_code`, `address`, `registrations`, `guests`",
    ["limit"],
)
hashes_waiting = Gauge(
    "auth_hashes_waiting", "Requests that wait for a thread that hashes their password", multiprocess_mode="livesum"
)

logins_total = Counter(
    "auth_logins_total",
    "Logins. method: `password` or `mail_code`. result: `succeeded`, `failed`, `banned`, `throttled`, `busy` or `refused`",
    ["method", "result"],
)
refresh_tokens_reused_total = Counter(
    "auth_refresh_tokens_reused_total", "Sessions that ended because an old refresh token was used again"
)
signing_key_age = Gauge(
    "auth_signing_key_age_seconds", "Seconds since the key that signs now was created", multiprocess_mode="livemax"
)
