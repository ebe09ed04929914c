"""The inbox page shows mails, and runs nothing of what is in them."""

import json
from email.message import EmailMessage
from http import HTTPStatus

import pytest

from dev.mail_catcher import inbox as inbox_module
from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.pages import POLICY, Pages
from dev.mail_catcher.smtp_server import Envelope

MARKUP = '<script>alert("x")</script>'


def envelope(recipient: str = "ada@example.com") -> Envelope:
    message = EmailMessage()
    message["Subject"] = f"Hello {MARKUP}"
    message.set_content(f"text {MARKUP}")
    message.add_alternative(f"<p>html {MARKUP}</p>", subtype="html")
    return Envelope("no-reply@shop.test", [recipient], message.as_bytes())


async def test_pages_show_mails_and_escape_them() -> None:
    inbox = Inbox()
    pages = Pages(inbox)
    assert "No mail yet" in pages.answer("GET", "/")[2]
    await inbox.deliver(envelope())
    for path in ("/", "/mail/1"):
        status, _, body = pages.answer("GET", path)
        assert status is HTTPStatus.OK
        assert "Hello &lt;script&gt;" in body
        assert "<script>" not in body
    assert '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" ' in pages.answer("GET", "/mail/1")[2]
    assert "default-src 'none'" in POLICY
    assert "-src 'self'" not in POLICY


async def test_pages_open_links_of_the_html_in_a_new_tab() -> None:
    inbox = Inbox()
    await inbox.deliver(envelope())
    assert 'srcdoc="&lt;base target=&quot;_blank&quot;&gt;&lt;p&gt;html' in Pages(inbox).answer("GET", "/mail/1")[2]


async def test_inbox_when_a_mail_is_malformed_then_the_pages_still_show_it_and_the_others() -> None:
    inbox = Inbox()
    for content in (
        b"Subject: \xff\xfe raw \xe4\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\xffhello\r\n",
        b"Subject: =?utf-8?b?/////w==?= =?x-none?q?abc?=\r\nContent-Type: text/html\r\n\r\n<p>\xed\xa0\x80</p>\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nno parts\r\n",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!abc\r\n",
    ):
        await inbox.deliver(Envelope("no-reply@shop.test", ["ada@example.com"], content))
    pages = Pages(inbox)
    for path in ("/", "/mail/1", "/mail/2", "/mail/3", "/mail/4"):
        status, _, body = pages.answer("GET", path)
        assert (status, bool(body.encode())) == (HTTPStatus.OK, True)
    assert "hello" in pages.answer("GET", "/mail/1")[2]
    assert "(no subject)</h1>" in pages.answer("GET", "/mail/3")[2]


async def test_mails_are_also_json_by_recipient() -> None:
    inbox = Inbox()
    for recipient in ("ada@example.com", "bola@example.com"):
        await inbox.deliver(envelope(recipient))
    pages = Pages(inbox)
    (mail,) = json.loads(pages.answer("GET", "/mails?to=Bola@example.com")[2])["items"]
    assert (mail["id"], mail["recipients"], mail["text"].strip()) == (2, ["bola@example.com"], f"text {MARKUP}")
    assert json.loads(pages.answer("GET", "/mails/1")[2])["recipients"] == ["ada@example.com"]
    assert len(json.loads(pages.answer("GET", "/mails")[2])["items"]) == 2


async def test_answer_when_there_is_nothing() -> None:
    pages = Pages(Inbox())
    for path in ("/mail/1", "/mails/x", "/nowhere", "/mails/99999999999999999999"):
        assert pages.answer("GET", path)[0] is HTTPStatus.NOT_FOUND
    assert pages.answer("POST", "/")[0] is HTTPStatus.METHOD_NOT_ALLOWED


async def test_inbox_when_full_forgets_the_oldest_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_MAILS", 2)
    inbox = Inbox()
    for _ in range(3):
        await inbox.deliver(envelope())
    assert [mail.id for mail in inbox.mails()] == [3, 2]
