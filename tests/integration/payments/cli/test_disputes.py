"""`disputes list`, `show` and `respond`, with the sandbox as Paystack."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.payments.db import sessions
from services.payments.models import Dispute
from tests.factories.payments import create_dispute, create_paid_payment
from tests.fixtures.merchant import KEY, Merchant
from tests.fixtures.payments_cli import NOBODY_LISTENS, OPERATOR, CommandLine
from tests.fixtures.sandbox import sandbox_process

EVIDENCE = (
    *("--customer-email", "ada@example.com", "--customer-name", "Ada Obi", "--customer-phone", "+2348012345678"),
    *("--service-details", "Two cups, signed for", "--delivery-date", "2026-11-20"),
)


@pytest.fixture(scope="module")
async def merchant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Merchant]:
    """The sandbox; its webhooks go nowhere."""
    database = tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite"
    async with sandbox_process(database, SANDBOX_WEBHOOK_URL=f"{NOBODY_LISTENS}/hook") as process:
        yield process.merchant


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    """A file of evidence."""
    file = tmp_path / "receipt.pdf"
    file.write_bytes(b"%PDF-1.7 signed for")
    return file


async def open_dispute(merchant: Merchant) -> Dispute:
    """Open a dispute at Paystack, and record it as its webhook event does."""
    reference = (await merchant.paid(amount=50_000))["reference"]
    opened = (await merchant.control("disputes", reference=reference, hours=1000)).json()["data"]
    payment = await create_paid_payment(reference=reference, status="disputed")
    return await create_dispute(opened["id"], payment_id=payment.id, reference=reference, amount=50_000, currency="NGN")


async def test_respond_uploads_the_file_sends_the_evidence_and_declines(
    merchant: Merchant, command: CommandLine, receipt: Path
) -> None:
    command.use_paystack(str(merchant.http.base_url), KEY)
    dispute = await open_dispute(merchant)
    respond = ("disputes", "respond", str(dispute.id), "--resolution", "declined", "--message", "Signed for")
    for wrong, reason in (
        ((*respond, "--file", "/no/such/file"), "does not exist"),
        ((*respond, "--file", str(receipt), "--customer-email", "ada@example.com"), "--customer-name"),
        ((*respond, "--file", str(receipt), *EVIDENCE, "--customer-phone", "none"), "--customer-phone"),
    ):
        refused = await command.run(*wrong)
        assert (refused.code, reason in refused.err) == (2, True), refused.err
    sent = (await command.run(*respond, "--file", str(receipt), *EVIDENCE, "--json")).json
    assert (sent["response_message"], sent["responded_by"]) == ("Signed for", OPERATOR)
    assert sent["evidence"]["service_details"] == "Two cups, signed for"
    at_paystack = await merchant.get(f"/dispute/{dispute.id}")
    assert (at_paystack["resolution"], at_paystack["status"]) == ("declined", "awaiting-bank-feedback")
    async with sessions() as session:
        assert (await session.get_one(Dispute, dispute.id)).status == "awaiting-bank-feedback"
    acts = (await command.run("audit", "list", "--subject", str(dispute.id), "--json")).json
    assert {act["act"] for act in acts} == {"dispute.evidence_added", "dispute.responded"}
    assert {act["actor"] for act in acts} == {OPERATOR}
    again = await command.run(*respond, "--file", str(receipt))
    assert (again.code, "does not accept a response any more" in again.err) == (1, True), again.err


async def test_list_and_show_print_disputes_with_their_amounts(command: CommandLine) -> None:
    one = await create_paid_payment()
    await create_dispute(1, payment_id=one.id, reference=one.reference, amount=50_000, currency="NGN")
    over = {"status": "resolved", "resolution": "declined", "lost": False, "response_message": "Signed for"}
    await create_dispute(2, payment_id=one.id, reference=one.reference, amount=50_000, currency="NGN", **over)
    assert [each["id"] for each in (await command.run("disputes", "list", "--json")).json] == [1]
    assert [each["id"] for each in (await command.run("disputes", "list", "--state", "over", "--json")).json] == [2]
    assert "NGN 500.00" in (await command.run("disputes", "list")).out
    shown = (await command.run("disputes", "show", "2")).out
    for text in (one.reference, "NGN 500.00", "declined", "Signed for"):
        assert text in shown
    assert (await command.run("disputes", "show", "2", "--json")).json["amount"] == 50_000
    assert (await command.run("disputes", "show", "3")).code == 1
