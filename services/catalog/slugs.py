"""Slugs: readable names in URLs."""

import re
import secrets
import unicodedata
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator
from sqlalchemy import ColumnElement, false
from sqlalchemy.orm import InstrumentedAttribute

from kit.fields import Slug

UUID_FORMAT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SLUG_FORMAT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_LENGTH = 80


def _refuse_id(slug: str) -> str:
    if UUID_FORMAT.fullmatch(slug):
        raise ValueError("must not have the format of an id")
    return slug


ChosenSlug = Annotated[Slug, AfterValidator(_refuse_id)]
"""A slug in a request. A slug must not have the format of an id, because a path parameter can be an id or a slug."""


def has_id_or_slug(
    id_or_slug: str, ids: InstrumentedAttribute[UUID], slugs: InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    """Return the condition that a row has this id or this slug. The condition is false if the text has neither format."""
    if UUID_FORMAT.fullmatch(id_or_slug):
        return ids == UUID(id_or_slug)
    return slugs == id_or_slug if SLUG_FORMAT.fullmatch(id_or_slug) else false()


def is_slug(text: str) -> bool:
    """Return whether a text can be a slug. Other texts, such as NUL, are not sent to the database."""
    return UUID_FORMAT.fullmatch(text) is None and SLUG_FORMAT.fullmatch(text) is not None


def candidates(name: str, fallback: str) -> list[str]:
    """Return slugs to try for a name: first the slug of the name, then slugs with a random suffix.

    `fallback` is used if the name has no letter or digit that a slug can contain.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:MAX_LENGTH].strip("-") or fallback
    suffixed = [f"{plain}-{secrets.token_hex(3)}" for _ in range(5)]
    return suffixed if UUID_FORMAT.fullmatch(plain) else [plain, *suffixed]
