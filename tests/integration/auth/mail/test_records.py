"""Operators see mails that did not arrive, and can send them again."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from services.auth.accounts.models import MailRequest
from services.auth.db import db_sessions
from services.auth.mail import records
from services.auth.mail.models import Mail, MailStatus
from services.auth.models import AuditLogEntry
from services.auth.worker import prune
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import AuthClient
from tests.fixtures.mail import make_due, send_due, stored_mails


async def run(*arguments: str) -> tuple[int, str]:
    """Run `python -m services.auth mail ...`. Return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.auth", "mail", *arguments),
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_mails_when_late_or_failed_are_a_warning(auth: AuthClient, mail_server: MailServer) -> None:
    await auth.register("ada@example.com")
    async with db_sessions() as session:
        assert await records.measure(session) is None
    mail_server.replies = {"RCPT": "451 try later"}
    await send_due()
    async with db_sessions.begin() as session:
        await session.execute(update(Mail).values(created_at=datetime.now(UTC) - timedelta(minutes=10)))
    async with db_sessions() as session:
        warning = await records.measure(session)
    assert warning is not None
    assert warning.startswith("1 mails wait, the oldest for 6")
    assert warning.endswith(": 451 try later")
    await make_due(created_at=datetime.now(UTC) - timedelta(days=2))
    await send_due()
    async with db_sessions() as session:
        warning = await records.measure(session)
    assert warning == "1 mails could not be sent within a day: see `mail list --status failed`"


async def test_mail_list_shows_mails_without_their_secrets(auth: AuthClient, mail_server: MailServer) -> None:
    await auth.register("ada@example.com")
    (mail,) = await stored_mails()
    assert mail.secrets is not None
    for arguments in (["list"], ["list", "--json"], ["list", "--status", "waiting"]):
        code, out = await run(*arguments)
        assert (code, "ada@example.com" in out, mail.secrets["token"] in out) == (0, True, False)
    code, out = await run("list", "--status", "failed")
    assert (code, out.strip()) == (0, "No mails match.")


async def test_mail_resend_when_it_waits_makes_it_due_and_is_recorded(
    auth: AuthClient, mail_server: MailServer
) -> None:
    account_id = (await auth.register("ada@example.com")).json()["id"]
    mail_server.replies = {"RCPT": "451 later"}
    await send_due()
    (mail,) = await stored_mails()
    mail_server.replies = {}
    assert (await run("resend", str(mail.id)))[0] == 0
    await send_due()
    assert [mail.recipients for mail in mail_server.mails] == [["ada@example.com"]]
    async with db_sessions() as session:
        entry = await session.get(AuditLogEntry, (await session.scalars(AuditLogEntry.__table__.select())).first())
    assert entry is not None
    assert (entry.act, entry.subject) == ("mail.resent", account_id)
    assert "ada@example.com" not in json.dumps([entry.before, entry.after])


async def test_mail_resend_when_its_secret_is_deleted_is_refused(auth: AuthClient, mail_server: MailServer) -> None:
    await auth.register("ada@example.com")
    await send_due()
    (mail,) = await stored_mails()
    code, out = await run("resend", str(mail.id))
    assert code != 0
    assert "is deleted" in " ".join(out.split())
    assert (await run("resend", "5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10"))[0] == 2
    code, out = await run("resend", "foo")
    assert (code, "Invalid value for 'ID': must be an id such as" in " ".join(out.split())) == (2, True)


async def test_prune_ends_mails_and_requests_that_wait_for_longer_than_a_day(auth: AuthClient) -> None:
    await auth.register("ada@example.com")
    await auth.http.post("/auth/password/forgot", json={"email": "ada@example.com"})
    for hours, status, requests in ((23, MailStatus.WAITING, 1), (27, MailStatus.FAILED, 0)):
        async with db_sessions.begin() as session:
            for table in (Mail, MailRequest):
                await session.execute(update(table).values(created_at=datetime.now(UTC) - timedelta(hours=hours)))
            await prune(session)
            assert len((await session.scalars(select(MailRequest))).all()) == requests
        (mail,) = await stored_mails()
        assert (mail.status, mail.secrets is None) == (status, status is MailStatus.FAILED)


async def test_prune_deletes_sent_mails_after_a_week_and_others_after_a_month(auth: AuthClient) -> None:
    ages = {
        MailStatus.SENT: (6, 8),
        MailStatus.FAILED: (29, 31),
        MailStatus.REFUSED: (29, 31),
        MailStatus.WAITING: (0, 0),
    }
    for status, days in ages.items():
        for age in days:
            await auth.register()
            newest = (await stored_mails())[-1]
            async with db_sessions.begin() as session:
                values = {"status": status, "created_at": datetime.now(UTC) - timedelta(days=age)}
                if status is not MailStatus.WAITING:
                    values |= {"next_attempt_at": None, "secrets": None}
                await session.execute(update(Mail).where(Mail.id == newest.id).values(values))
    async with db_sessions.begin() as session:
        assert await prune(session) == 3
    left = [mail.status for mail in await stored_mails()]
    assert sorted(left) == sorted([*ages, MailStatus.WAITING])
