"""The errors of a call to Paystack.

PaystackError
├── Refused          Paystack understood the request and refused it; nothing was created
├── KeyRejected      our secret key is wrong or revoked: an operator must replace it; this says nothing about the payment
├── RateLimited      retry after `retry_after` seconds
└── NoAnswer         timeout, network error, 5xx or an unusable response: the outcome is unknown, look it up before retrying
"""


class PaystackError(Exception):
    """Base class of all failures of a call."""


class Refused(PaystackError):
    """Paystack refused the request. `status` is the HTTP status, `code` Paystack's error code (may be empty), `message` its text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class KeyRejected(PaystackError):
    """HTTP 401: Paystack does not accept our secret key."""


class RateLimited(PaystackError):
    """HTTP 429: the rate limit is used up for `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"rate limited for {retry_after} s")
        self.retry_after = retry_after


class NoAnswer(PaystackError):
    """There was no usable response. Whether Paystack carried out the request is unknown."""
