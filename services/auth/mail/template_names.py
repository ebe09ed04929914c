"""The templates of mails: their names, and the values that each of them gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Template(StrEnum):
    """Each template has two files: `<name>.txt`, whose first line is the subject, and `<name>.html`."""

    VERIFY_EMAIL = "verify_email"
    """The owner of a new account proves that the address is theirs."""

    RESET_PASSWORD = "reset_password"  # noqa: S105 -- the name of a template
    """The owner sets a new password."""

    PASSWORD_CHANGED = "password_changed"  # noqa: S105 -- the name of a template
    """The password was changed."""

    CHANGE_EMAIL = "change_email"
    """To the new address of an account: confirm it."""

    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    """To the old address: a new address was entered, and is not confirmed yet."""

    EMAIL_TAKEN = "email_taken"
    """To an address that has an account: it was entered as the address of a new or another account."""

    EMAIL_CHANGED = "email_changed"
    """To the old address: it can be restored."""

    EMAIL_CONFIRMED = "email_confirmed"
    """To the new address: it is the address of the account now."""

    MAIL_CODE = "mail_code"
    """A code with which the owner logs in."""

    ACCOUNT_DELETION = "account_deletion"
    """The account will be deleted, and can be kept until then."""

    DELETION_CANCELLED = "deletion_cancelled"
    """The account will not be deleted, because it was recovered, or an operator gave it a staff role."""


@dataclass(frozen=True, slots=True)
class Values:
    """The names of the values of a template, each with an example. Values in `secrets` are tokens and codes."""

    context: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None
    """The page of the shop, relative to AUTH_SHOP_URL, that the link in the mail opens. The template gets it as `link`."""


EXAMPLE_TOKEN = "x4Jt9wq0VgkXr3m1cUuQ7bYd2sLh5nZe8aPf6iKoRjE"  # noqa: S105 -- an example
TEMPLATES: Mapping[Template, Values] = {
    Template.VERIFY_EMAIL: Values({"valid": "24 hours"}, {"token": EXAMPLE_TOKEN}, page="verify-email"),
    Template.RESET_PASSWORD: Values({"valid": "15 minutes"}, {"token": EXAMPLE_TOKEN}, page="reset-password"),
    Template.PASSWORD_CHANGED: Values(),
    Template.CHANGE_EMAIL: Values({"valid": "24 hours"}, {"token": EXAMPLE_TOKEN}, page="verify-email"),
    Template.EMAIL_CHANGE_REQUESTED: Values(),
    Template.EMAIL_TAKEN: Values(),
    Template.EMAIL_CHANGED: Values({"valid": "7 days"}, {"token": EXAMPLE_TOKEN}, page="undo-email-change"),
    Template.EMAIL_CONFIRMED: Values(),
    Template.MAIL_CODE: Values({"valid": "10 minutes"}, {"code": "048213"}),
    Template.ACCOUNT_DELETION: Values({"date": "2026-12-07"}),
    Template.DELETION_CANCELLED: Values(),
}


def in_words(lifetime: timedelta) -> str:
    """Return a lifetime in words, such as `15 minutes`, `24 hours` or `7 days`."""
    minutes = int(lifetime.total_seconds()) // 60
    if minutes % 1440 == 0 and minutes > 1440:
        return f"{minutes // 1440} days"
    return f"{minutes // 60} hours" if minutes % 60 == 0 and minutes > 60 else f"{minutes} minutes"
