import pytest

from services.auth.mailboxes import check_mailbox, parse_mailbox
from services.auth.smtp_url import Encryption, SmtpServer, parse_smtp_url


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 587, Encryption.STARTTLS)),
        ("smtps://mail.example/", SmtpServer("mail.example", 465, Encryption.TLS)),
        ("smtp+plain://[::1]:1025", SmtpServer("::1", 1025, Encryption.NONE)),
    ],
)
def test_parse_smtp_url(url: str, server: SmtpServer) -> None:
    assert parse_smtp_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:x",
        "smtp://a:b@mail.example",
        "smtp://m/x",
    ],
)
def test_parse_smtp_url_when_malformed_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^must") as refused:
        parse_smtp_url(url)
    assert "a:b" not in str(refused.value)


def test_parse_mailbox() -> None:
    sender = parse_mailbox("Kwik Märt <No-Reply@SHOP.example>")
    assert (sender.display_name, sender.addr_spec) == ("Kwik Märt", "no-reply@shop.example")
    assert parse_mailbox("no-reply@exämple.com").domain == "xn--exmple-cua.com"


@pytest.mark.parametrize("mailbox", ["", "Kwik Mart", "a@b", "ä@shop.example", "a\r\nBcc: b@c.example <a@b.example>"])
def test_check_mailbox_when_mail_cannot_be_sent_from_it_is_refused(mailbox: str) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        check_mailbox(mailbox)
