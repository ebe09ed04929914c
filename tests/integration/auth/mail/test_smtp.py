"""Connections to the mail server are encrypted and authenticated as configured."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from services.auth.mail.smtp import MailRejected, ServerUnavailable, SmtpClient
from services.auth.smtp_url import Encryption, SmtpServer
from tests.fakes.mail_server import MailServer
from tests.fixtures.certificates import tls_contexts
from tests.fixtures.mail import PORT


def message(recipient: str = "ada@example.com") -> EmailMessage:
    found = EmailMessage()
    found["From"], found["To"], found["Subject"] = "no-reply@shop.test", recipient, "Hello"
    found.set_content(".\n..dots\n")
    return found


@pytest.mark.parametrize("encryption", Encryption)
async def test_send_encrypts_as_configured_and_authenticates(tmp_path: Path, encryption: Encryption) -> None:
    server_tls, client_tls = tls_contexts(tmp_path)
    server = MailServer(server_tls if encryption is Encryption.STARTTLS else None)
    client = SmtpClient(SmtpServer("127.0.0.1", PORT, encryption), "shop.test", "shop", "hunter22", tls=client_tls)
    async with (
        server.listening(PORT, server_tls if encryption is Encryption.TLS else None),
        client.connected() as connection,
    ):
        await connection.send(message())
        await connection.send(message("bola@example.com"))
    assert [mail.recipients for mail in server.mails] == [["ada@example.com"], ["bola@example.com"]]
    assert server.mails[0].text.splitlines() == [".", "..dots"]
    assert {(envelope.encrypted, envelope.user) for envelope in server.envelopes} == {
        (encryption is not Encryption.NONE, "shop")
    }


@pytest.mark.parametrize("encryption", [Encryption.STARTTLS, Encryption.TLS])
async def test_connect_when_the_certificate_is_not_trusted_fails(tmp_path: Path, encryption: Encryption) -> None:
    server_tls, _ = tls_contexts(tmp_path)
    client = SmtpClient(SmtpServer("127.0.0.1", PORT, encryption), "shop.test", "shop", "hunter22", step_seconds=2)
    async with MailServer(server_tls).listening(PORT, server_tls if encryption is Encryption.TLS else None):
        with pytest.raises(ServerUnavailable):
            async with client.connected():
                pass


async def test_connect_when_the_password_is_refused_fails_with_the_reason() -> None:
    server = MailServer()
    server.replies = {"AUTH": "535 wrong password"}
    client = SmtpClient(SmtpServer("127.0.0.1", PORT, Encryption.NONE), "shop.test", "shop", "hunter22")
    async with server.listening(PORT):
        with pytest.raises(ServerUnavailable, match="535 wrong password"):
            async with client.connected():
                pass


async def test_send_when_the_address_is_not_ascii_uses_smtputf8_or_is_rejected_for_good() -> None:
    server = MailServer()
    client = SmtpClient(SmtpServer("127.0.0.1", PORT, Encryption.NONE), "shop.test")
    async with server.listening(PORT):
        async with client.connected() as connection:
            await connection.send(message("ädà@example.com"))
        server.replies = {"EHLO": "250 mail catcher"}
        async with client.connected() as connection:
            with pytest.raises(MailRejected, match="SMTPUTF8") as rejected:
                await connection.send(message("ädà@example.com"))
            await connection.send(message())
    assert rejected.value.permanent
    assert [mail.recipients for mail in server.mails] == [["ädà@example.com"], ["ada@example.com"]]
