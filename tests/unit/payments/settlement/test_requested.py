"""Limits on the verifications at Paystack that clients of the API and the return page cause."""

from services.payments.paystack.rate_limit import RateLimit
from services.payments.settlement.requested import RETURN_PAGES_PER_ADDRESS, RequestedVerifications
from tests.fakes.paystack import Clock

MINUTE = 60


def test_return_page_and_clients_have_shares_of_the_rate_limit() -> None:
    clock, rate_limit = Clock(), RateLimit(100)  # 75 background calls a minute
    requested = RequestedVerifications(clock=clock)
    assert sum(requested.return_page_may_verify(rate_limit, None) for _ in range(100)) == 11
    assert sum(requested.client_may_verify(rate_limit) for _ in range(100)) == 18
    clock.now += MINUTE
    assert sum(requested.return_page_may_verify(rate_limit, None) for _ in range(100)) == 11


def test_shares_follow_the_limit_that_paystack_reports() -> None:
    clock, rate_limit = Clock(), RateLimit(600)
    requested = RequestedVerifications(clock=clock)
    assert requested.client_may_verify(rate_limit)
    rate_limit.update("verify", {"x-ratelimit-limit": "3000"})
    clock.now += MINUTE
    assert sum(requested.client_may_verify(rate_limit) for _ in range(1000)) == 562


def test_shares_are_divided_between_processes() -> None:
    requested = RequestedVerifications(processes=2, clock=Clock())
    assert sum(requested.client_may_verify(RateLimit(100)) for _ in range(100)) == 9


def test_one_address_cannot_use_up_the_share_of_the_return_page() -> None:
    rate_limit = RateLimit(3000)
    requested = RequestedVerifications(clock=Clock())
    allowed = sum(requested.return_page_may_verify(rate_limit, "198.51.100.1") for _ in range(1000))
    assert allowed == RETURN_PAGES_PER_ADDRESS
    assert requested.return_page_may_verify(rate_limit, "198.51.100.2")
