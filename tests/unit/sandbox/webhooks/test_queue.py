from sandbox.webhooks.queue import sign, wait_after
from tests.fakes.webhook_receiver import signature_of
from tests.fixtures.merchant import KEY


def test_schedule_after_each_attempt_is_paystacks() -> None:
    waits = [wait_after(tries) for tries in range(1, 77)]
    assert waits == [1.0] * 3 + [5.0] * 72 + [None]


def test_signature_of_a_body_is_hmac_sha512_in_hex() -> None:
    assert sign(KEY.encode(), b"{}") == signature_of(b"{}", KEY)
    assert len(sign(KEY.encode(), b"")) == 128
