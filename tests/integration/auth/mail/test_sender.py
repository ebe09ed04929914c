"""Mails are sent again until the mail server accepts or refuses them, for a day. Their secrets are in the database only while they wait."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.auth.mail.models import MailStatus
from services.auth.mail.smtp import SmtpClient
from services.auth.smtp_url import Encryption, SmtpServer
from tests.fakes.mail_server import MailServer
from tests.fakes.shutdown import UntilIdle
from tests.fixtures.auth import AuthClient
from tests.fixtures.log_lines import log_lines
from tests.fixtures.mail import PORT, make_due, make_sender, send_due, stored_mails, write_mails

OVER_A_DAY = timedelta(hours=25)


async def test_mail_when_sent_has_stable_headers_and_its_secret_is_deleted(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register("ada@exämple.com")
    (before,) = await stored_mails()
    assert before.secrets is not None
    await send_due()
    (mail,), (after,) = mail_server.mails, await stored_mails()
    assert (mail.recipients, mail.sender) == (["ada@xn--exmple-cua.com"], "no-reply@shop.test")
    assert mail.message_id == f"<{after.id}@shop.test>"
    assert mail.subject == "Kwik Mart: confirm your e-mail address"
    token = before.secrets["token"]
    for body in (mail.text, mail.html):
        assert f"https://shop.test/verify-email#token={token}" in body
    assert (after.status, after.secrets, after.next_attempt_at) == (MailStatus.SENT, None, None)
    await send_due()
    assert len(mail_server.mails) == 1


async def test_mail_when_the_server_is_down_for_a_while_arrives_once(auth: AuthClient) -> None:
    await write_mails(25)
    sender = make_sender()
    for _ in range(3):
        await send_due(sender)
    mails = await stored_mails()
    assert {mail.status for mail in mails} == {MailStatus.WAITING}
    assert {mail.attempts for mail in mails} == {0}, "without an answer of the server, it is not an attempt"
    assert [mail.error for mail in mails if mail.error]
    async with MailServer().listening(PORT) as server:
        await make_due()
        await send_due(sender)
        await send_due(sender)
    assert sorted(mail.recipients[0] for mail in server.mails) == sorted(mail.recipient for mail in mails)


async def _hang(server: MailServer) -> None:
    server.hangs = {"MAIL"}


async def _close(server: MailServer) -> None:
    server.replies = {"DATA": None}


async def _close_politely(server: MailServer) -> None:
    server.replies = {"RCPT": "421 closing"}


async def _refuse_us(server: MailServer) -> None:
    server.replies = {"MAIL": "550 the sender is not verified"}


@pytest.mark.parametrize("fault", [_hang, _close, _close_politely, _refuse_us])
async def test_mail_when_the_server_fails_is_sent_once_when_it_works_again(
    auth: AuthClient, mail_server: MailServer, fault: Callable[[MailServer], Awaitable[None]]
) -> None:
    await auth.register("ada@example.com")
    await auth.register("bola@example.com")
    await fault(mail_server)
    await send_due(make_sender(step_seconds=0.2))
    assert mail_server.sessions == 1, "one connection tells that the server does not work"
    assert {mail.status for mail in await stored_mails()} == {MailStatus.WAITING}
    mail_server.hangs, mail_server.replies = set(), {}
    await make_due()
    await send_due()
    assert [mail.recipients for mail in mail_server.mails] == [["ada@example.com"], ["bola@example.com"]]


@pytest.mark.parametrize("command", ["RCPT", "DATA", "END OF DATA"])
async def test_mail_when_rejected_for_now_waits_and_does_not_delay_others(
    auth: AuthClient, mail_server: MailServer, command: str
) -> None:
    await auth.register("ada@example.com")
    mail_server.replies = {command: "451 greylisted"}
    await send_due()
    (mail,) = await stored_mails()
    assert (mail.status, mail.attempts, mail.error) == (MailStatus.WAITING, 1, "451 greylisted")
    assert mail.next_attempt_at is not None
    assert mail.next_attempt_at > datetime.now(UTC) + timedelta(seconds=10)
    mail_server.replies = {}
    await auth.register("bola@example.com")
    await send_due()
    assert [mail.recipients for mail in mail_server.mails] == [["bola@example.com"]]
    await make_due()
    await send_due()
    assert [mail.recipients for mail in mail_server.mails] == [["bola@example.com"], ["ada@example.com"]]


async def test_mail_when_there_is_no_such_mailbox_is_refused_and_its_secret_deleted(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register("nobody@example.com")
    mail_server.replies = {"RCPT": "550 5.1.1 no such mailbox"}
    await send_due()
    (mail,) = await stored_mails()
    assert (mail.status, mail.secrets, mail.error) == (MailStatus.REFUSED, None, "550 5.1.1 no such mailbox")


@pytest.mark.parametrize("reply", [None, "451 later"])
async def test_mail_when_not_accepted_within_a_day_has_failed_and_its_secret_is_deleted(
    auth: AuthClient, mail_server: MailServer, reply: str | None
) -> None:
    await auth.register("ada@example.com")
    await make_due(created_at=datetime.now(UTC) - OVER_A_DAY)
    mail_server.replies = {"RCPT": reply}
    await send_due()
    (mail,) = await stored_mails()
    assert (mail.status, mail.secrets, mail.next_attempt_at) == (MailStatus.FAILED, None, None)
    await make_due()
    mail_server.replies = {}
    await send_due()
    assert mail_server.mails == []


async def test_mail_when_the_worker_dies_before_the_commit_is_sent_again_with_the_same_message_id(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register("ada@example.com")
    mail_server.hangs = {"QUIT"}
    accepted = asyncio.Event()
    deliver = mail_server.inbox.deliver

    async def deliver_and_hang(envelope: object) -> None:
        await deliver(envelope)  # type: ignore[arg-type]
        accepted.set()
        await asyncio.Event().wait()

    mail_server.inbox.deliver = deliver_and_hang  # type: ignore[method-assign]
    worker = asyncio.create_task(send_due())
    async with asyncio.timeout(10):
        await accepted.wait()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    mail_server.inbox.deliver, mail_server.hangs = deliver, set()  # type: ignore[method-assign]
    await send_due()
    assert len(mail_server.mails) == 1, "another worker does not take the mail while its lease lasts"
    await make_due()
    await send_due()
    first, second = mail_server.mails
    assert (first.message_id, first.text) == (second.message_id, second.text)


async def test_mail_when_two_workers_send_arrives_once(auth: AuthClient, mail_server: MailServer) -> None:
    await write_mails(45)
    senders = make_sender(), make_sender()
    async with asyncio.timeout(30):
        while len(mail_server.mails) < 45:
            await asyncio.gather(*(sender.send_batch(UntilIdle()) for sender in senders))
    assert len({mail.recipients[0] for mail in mail_server.mails}) == len(mail_server.mails) == 45


async def test_mail_when_sent_or_rejected_is_logged_without_address_and_secret(
    auth: AuthClient, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    await auth.register("ada@example.com")
    (mail,) = await stored_mails()
    assert mail.secrets is not None
    mail_server.replies = {"RCPT": "451 ada@example.com is busy"}
    caplog.clear()
    await send_due()
    mail_server.replies = {}
    await make_due()
    await send_due()
    assert [line["event"] for line in log_lines(caplog)] == ["mail rejected", "mail sent"]
    assert "ada@example.com" not in caplog.text
    assert mail.secrets["token"] not in caplog.text


@pytest.mark.parametrize("encryption", [Encryption.STARTTLS, Encryption.TLS])
async def test_mail_when_the_server_does_not_encrypt_is_not_sent(
    auth: AuthClient, mail_server: MailServer, encryption: Encryption
) -> None:
    await auth.register("ada@example.com")
    await send_due(make_sender(server=SmtpServer("127.0.0.1", PORT, encryption), step_seconds=1))
    assert mail_server.mails == []
    (mail,) = await stored_mails()
    assert mail.status is MailStatus.WAITING


def test_smtp_client_does_not_show_its_password() -> None:
    client = SmtpClient(SmtpServer("mail.example", 465, Encryption.TLS), "shop.example", "shop", "a secret password")
    assert "a secret password" not in repr(client)
