"""Operators see the mails of an account, and send one again."""

import pytest

from services.auth.accounts.mail_limits import CAPACITY
from services.auth.mail import waiting
from services.auth.settings import settings
from tests.fakes.mail_server import MailServer
from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.auth_management import Headers, register
from tests.fixtures.mail import make_due, send_due, stored_mails, token_in

EMAIL = "ada@example.com"


async def test_mails_are_listed_newest_first_without_their_secrets(
    auth: AuthClient, administrator: Headers, mail_server: MailServer
) -> None:
    account_id = await register(auth, EMAIL)
    await register(auth, "eve@example.com")
    mail_server.replies = {"RCPT": "451 try later"}
    await send_due()
    change = {"current_password": PASSWORD, "new_password": "six lamps in the harbour"}
    await auth.http.post("/auth/me/password", json=change, headers=await auth.logged_in(EMAIL))
    answer = await auth.http.get(f"/auth/users/{account_id}/mails", headers=administrator)
    assert answer.status_code == 200, answer.text
    newest, oldest = answer.json()["items"]
    assert [newest["template"], oldest["template"]] == ["password_changed", "verify_email"]
    assert (oldest["status"], oldest["attempts"], oldest["error"]) == ("waiting", 1, "451 try later")
    secrets = [mail.secrets["token"] for mail in await stored_mails() if mail.secrets]
    assert secrets
    assert not [secret for secret in secrets if secret in answer.text]


async def test_resend_when_the_mail_waits_sends_it_now_and_is_recorded(
    auth: AuthClient, administrator: Headers, mail_server: MailServer
) -> None:
    account_id = await register(auth, EMAIL)
    mail_server.replies = {"RCPT": "451 try later"}
    await send_due()
    (mail,) = await stored_mails()
    mail_server.replies = {}
    await send_due()
    assert mail_server.mails == [], "it waits for its next attempt"
    answer = await auth.http.post(f"/auth/users/{account_id}/mails/{mail.id}/resend", headers=administrator)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["attempts"], answer.json()["error"]) == ("waiting", 0, None)
    await send_due()
    token = token_in(mail_server.mails[0])
    assert (await auth.http.post("/auth/email/verify", json={"token": token})).status_code == 204
    (entry,) = await audit_entries(auth.http, "auth", administrator, subject=account_id)
    assert (entry["act"], entry["before"]) == (
        "mail.resent",
        {"mail": str(mail.id), "template": "verify_email", "status": "waiting"},
    )


async def test_resend_when_the_mail_has_no_secret_sends_it_again_at_most_five_times(
    auth: AuthClient, administrator: Headers, mail_server: MailServer
) -> None:
    account_id = await register(auth, EMAIL)
    change = {"current_password": PASSWORD, "new_password": "six lamps in the harbour"}
    await auth.http.post("/auth/me/password", json=change, headers=await auth.logged_in(EMAIL))
    await send_due()
    notice = next(mail for mail in await stored_mails() if mail.template == "password_changed")
    for number in range(CAPACITY + 1):
        answer = await auth.http.post(f"/auth/users/{account_id}/mails/{notice.id}/resend", headers=administrator)
        assert answer.status_code == (429 if number == CAPACITY else 200), answer.text
        await send_due()
    assert (answer.json()["code"], int(answer.headers["retry-after"]) > 500) == ("too_many_mails", True)
    assert [mail.subject for mail in mail_server.mails].count("Kwik Mart: your password was changed") == 1 + CAPACITY
    entries = await audit_entries(auth.http, "auth", administrator, subject=account_id)
    assert [entry["before"]["status"] for entry in entries] == ["sent"] * CAPACITY


async def test_resend_when_it_is_not_possible_says_why(
    auth: AuthClient, administrator: Headers, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = await register(auth, EMAIL)
    other_id = await register(auth, "eve@example.com")
    await send_due()
    mail = next(mail for mail in await stored_mails() if mail.recipient == EMAIL)
    await make_due()
    refused = [
        await auth.http.post(f"/auth/users/{owner}/mails/{mail.id}/resend", headers=administrator)
        for owner in (account_id, other_id)
    ]
    monkeypatch.setattr(waiting, "settings", settings.model_copy(update={"auth_smtp_url": None}))
    refused.append(await auth.http.post(f"/auth/users/{account_id}/mails/{mail.id}/resend", headers=administrator))
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [
        (409, "mail_not_resendable"),
        (404, "mail_not_found"),
        (404, "mail_not_configured"),
    ]
