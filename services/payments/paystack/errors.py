"""What can become of a call that Paystack does not answer as asked.

PaystackError
├── Refused          Paystack understood and said no; nothing was made
├── KeyRejected      our secret key is wrong or revoked: a person must act, no payment is at fault
├── RateLimited      ask again after `retry_after` seconds
└── NoAnswer         timeout, network, 5xx or nonsense: whether it happened is unknown, look it up
"""


class PaystackError(Exception):
    pass


class Refused(PaystackError):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class KeyRejected(PaystackError):
    pass


class RateLimited(PaystackError):
    def __init__(self, retry_after: int) -> None:
        super().__init__(f"rate limited for {retry_after} s")
        self.retry_after = retry_after


class NoAnswer(PaystackError):
    pass
