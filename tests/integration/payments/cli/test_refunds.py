"""`refunds list` and `refunds close`: failed refunds are shown, no matter who requested them, until an operator has dealt with them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.factories.payments import create_paid_payment, create_refund
from tests.fixtures.payments_cli import OPERATOR, CommandLine
from tests.fixtures.payments_rows import all_refunds


@pytest.mark.parametrize("requested_by", ["operator-1", "catalog", "paystack"])
async def test_failed_refund_is_listed_and_counted_until_it_is_closed(command: CommandLine, requested_by: str) -> None:
    one = await create_paid_payment()
    failed = await create_refund(one, amount=100, status="failed", requested_by=requested_by, error="It failed.")
    (listed,) = (await command.run("refunds", "list", "--json")).json
    assert (listed["payment"], listed["error"], listed["closed_by"]) == (one.reference, "It failed.", None)
    status = (await command.run("status", "--json")).json
    assert (status["refunds"]["failed"], status["refunds_that_need_an_operator"]) == (1, 1)
    assert "1 failed; 1 need an operator" in (await command.run("status")).out
    assert (await command.run("refunds", "close", str(failed.id))).code == 2  # a reason is needed
    closed = await command.run("refunds", "close", str(failed.id), "--reason", "paid by bank transfer")
    assert closed.code == 0, closed.err
    (stored,) = await all_refunds()
    assert (stored.closed_by, stored.closed_reason) == (OPERATOR, "paid by bank transfer")
    assert (await command.run("refunds", "list", "--json")).json == []
    assert (await command.run("status", "--json")).json["refunds_that_need_an_operator"] == 0
    (listed,) = (await command.run("refunds", "list", "--status", "failed", "--json")).json
    assert (listed["closed_by"], listed["closed_reason"]) == (OPERATOR, "paid by bank transfer")
    again = await command.run("refunds", "close", str(failed.id), "--reason", "x")
    assert (again.code, again.err.strip()) == (1, f"The refund is closed already, by {OPERATOR}.")


async def test_refused_refund_is_counted_and_can_be_closed_unless_it_is_about_to_be_sent(command: CommandLine) -> None:
    one = await create_paid_payment()
    soon, later = datetime.now(UTC) + timedelta(minutes=1), datetime.now(UTC) + timedelta(hours=1)
    due = await create_refund(one, amount=100, attempts=1, next_attempt_at=soon)
    waiting = await create_refund(one, amount=100, attempts=1, next_attempt_at=later)
    assert (await command.run("status", "--json")).json["refunds_refused"] == 2
    assert "2 refused by Paystack, sent again later" in (await command.run("status")).out
    refused = await command.run("refunds", "close", str(due.id), "--reason", "x")
    assert (refused.code, refused.err.strip()) == (
        1,
        "The refund is requested: only a failed refund, or one that Paystack refused and whose next attempt is more than five minutes "
        "away, can be closed. Try again later.",
    )
    assert (await command.run("refunds", "close", str(waiting.id), "--reason", "paid in cash")).code == 0
    stored = {refund.id: (refund.status, refund.next_attempt_at) for refund in await all_refunds()}
    assert stored == {due.id: ("requested", soon), waiting.id: ("failed", None)}
    unknown = await command.run("refunds", "close", str(uuid4()), "--reason", "x")
    assert (unknown.code, unknown.err.strip()) == (1, "There is no refund with this id.")
