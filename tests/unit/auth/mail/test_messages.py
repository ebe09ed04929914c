"""Templates become messages that no value can turn into something else."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path
from uuid import UUID

import pytest

from services.auth.mail.messages import BUILT_IN, Messages, TemplateUnusable
from services.auth.mail.template_names import TEMPLATES, Template, in_words

SENDER = Address("Kwik Mart", addr_spec="no-reply@shop.test")
MAIL_ID = UUID("5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10")
TIME = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
HOSTILE = "x\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u2028\x85"


def build(messages: Messages, template: Template, values: dict[str, str] | None = None) -> EmailMessage:
    found = TEMPLATES[template]
    given = values or {**found.context, **found.secrets}
    message = messages.build(template, "ada@example.com", given, mail_id=MAIL_ID, created_at=TIME)
    parsed: EmailMessage = message_from_bytes(message.as_bytes(policy=SMTP), policy=default)
    return parsed


def bodies(message: EmailMessage) -> tuple[str, str]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("shop_url", ["", "https://shop.test"])
def test_template_when_rendered_has_a_subject_and_all_values_in_both_bodies(template: Template, shop_url: str) -> None:
    message = build(Messages(SENDER, "Kwik Mart", shop_url), template)
    assert message["Subject"].startswith("Kwik Mart: ")
    assert (message["To"], message["From"]) == ("ada@example.com", "Kwik Mart <no-reply@shop.test>")
    assert (message["Message-ID"], message["Auto-Submitted"]) == (f"<{MAIL_ID}@shop.test>", "auto-generated")
    values = TEMPLATES[template]
    for body in bodies(message):
        for value in (*values.context.values(), *values.secrets.values()):
            assert value in body
        assert bool(values.page and shop_url) == (f"{shop_url or 'https:'}/{values.page}#token=" in body)


def test_template_files_are_those_of_the_templates() -> None:
    names = {f"{template}.{kind}" for template in Template for kind in ("txt", "html")}
    assert {path.name for path in BUILT_IN.iterdir()} == names | {
        "layout.html",
        "action.html",
        "action.txt",
        "README.md",
    }


@pytest.mark.parametrize("template", Template)
def test_message_when_a_value_is_hostile_has_no_other_header_and_no_markup(template: Template) -> None:
    plain = build(Messages(SENDER, "Kwik Mart", ""), template)
    values = TEMPLATES[template]
    hostile = build(
        Messages(SENDER, HOSTILE, "https://shop.test"),
        template,
        dict.fromkeys([*values.context, *values.secrets], HOSTILE),
    )
    assert hostile.keys() == plain.keys()
    assert hostile["Bcc"] is None
    assert "\n" not in hostile["Subject"]
    assert "<script>" not in bodies(hostile)[1]


def test_message_when_the_recipient_is_hostile_is_not_built() -> None:
    messages = Messages(SENDER, "Kwik Mart", "")
    for recipient in ("ada@example.com\r\nBcc: eve@example.com", "ada@example.com, eve@example.com"):
        with pytest.raises(ValueError):  # noqa: PT011 -- of the standard library, with other texts in other versions
            messages.build(
                Template.VERIFY_EMAIL, recipient, {"valid": "x", "token": "y"}, mail_id=MAIL_ID, created_at=TIME
            )


def test_operators_template_replaces_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "verify_email.txt").write_text("Subject: Bonjour\n\n{{ token }} {{ valid }}")
    messages = Messages(SENDER, "Kwik Mart", "", tmp_path)
    messages.check()
    message = build(messages, Template.VERIFY_EMAIL)
    assert message["Subject"] == "Bonjour"
    assert "Enter this code" in bodies(message)[1]


@pytest.mark.parametrize("text", ["Subject: {{ tokn }}\n", "No subject\n", "Subject: {{ token", "Subject: \ud800\n"])
def test_check_when_a_template_cannot_be_used_names_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "verify_email.txt").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(TemplateUnusable, match=r"verify_email\.txt"):
        Messages(SENDER, "Kwik Mart", "", tmp_path).check()


def test_lifetimes_in_words() -> None:
    cases = {"15 minutes": timedelta(minutes=15), "24 hours": timedelta(days=1), "7 days": timedelta(days=7)}
    assert {words: in_words(lifetime) for words, lifetime in cases.items()} == {words: words for words in cases}
