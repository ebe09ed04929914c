"""Build messages from templates."""

from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from uuid import UUID

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from kit.email_addresses import ascii_email
from services.auth.mail.template_names import TEMPLATES, Template

BUILT_IN = Path(__file__).parent / "templates"
SUBJECT = "Subject: "


class TemplateUnusable(Exception):
    """A template cannot be rendered. The message names its file and the reason."""


class Messages:
    """Renders templates: those in `folder` replace the built-in ones of the same name. `shop_url` may be empty."""

    def __init__(self, sender: Address, shop_name: str, shop_url: str, folder: Path | None = None) -> None:
        self.sender = sender
        self._shop = {"shop": shop_name or sender.display_name or sender.domain, "shop_url": shop_url}
        folders = [path for path in (folder, BUILT_IN) if path is not None]
        self._templates = Environment(
            loader=ChoiceLoader([FileSystemLoader(path) for path in folders]),
            autoescape=select_autoescape(["html"], default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def build(
        self,
        template: Template,
        recipient: str,
        values: Mapping[str, str],
        *,
        mail_id: UUID,
        created_at: datetime,
    ) -> EmailMessage:
        """Return the message of a mail. A repeated call returns an equal message, with the same Message-ID. Raises TemplateUnusable."""
        values = {**self._shop, "link": self._link(template, values), **values}
        subject, _, text = self._render(f"{template}.txt", values).partition("\n")
        if not subject.startswith(SUBJECT):
            raise TemplateUnusable(f"{template}.txt: the first line must be `{SUBJECT}` and the subject")
        message = EmailMessage(policy=SMTP)
        message["From"] = self.sender
        message["To"] = Address(addr_spec=ascii_email(recipient))
        message["Subject"] = one_line(subject.removeprefix(SUBJECT))
        message["Date"] = format_datetime(created_at)
        message["Message-ID"] = f"<{mail_id}@{self.sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply
        message.set_content(text.strip() + "\n")
        message.add_alternative(self._render(f"{template}.html", values), subtype="html")
        return message

    def check(self) -> None:
        """Render every template with example values. Raises TemplateUnusable for the first one that cannot be rendered."""
        for template, values in TEMPLATES.items():
            example = {**values.context, **values.secrets}
            self.build(
                template, "ada@example.com", example, mail_id=UUID(int=0), created_at=datetime.now().astimezone()
            )

    def _link(self, template: Template, values: Mapping[str, str]) -> str:
        """Return the link to the shop's page with the token, or an empty text. The token is in its fragment: servers do not log it."""
        page, shop_url = TEMPLATES[template].page, self._shop["shop_url"]
        return f"{shop_url}/{page}#token={values['token']}" if page and shop_url else ""

    def _render(self, name: str, values: Mapping[str, str]) -> str:
        try:
            return self._templates.get_template(name).render(values)
        except (TemplateError, OSError, UnicodeDecodeError, TypeError, ValueError) as error:
            raise TemplateUnusable(f"{name}: {type(error).__name__}: {error}") from error


def one_line(text: str) -> str:
    """Return the text without line breaks and other control characters, which could begin another header field."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
