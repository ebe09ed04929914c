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
"""A slug from a client. One path serves ids and slugs, so a slug must not look like an id."""


def has_id_or_slug(
    id_or_slug: str, ids: InstrumentedAttribute[UUID], slugs: InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    """Return the condition that a row has this id or this slug. It is false for text that is neither."""
    if UUID_FORMAT.fullmatch(id_or_slug):
        return ids == UUID(id_or_slug)
    return slugs == id_or_slug if SLUG_FORMAT.fullmatch(id_or_slug) else false()


def candidates(name: str, fallback: str) -> list[str]:
    """Return slugs to try for a name: the plain one first, then some with a random suffix.

    `fallback` replaces a name without any letter or digit that a slug can contain.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:MAX_LENGTH].strip("-") or fallback
    suffixed = [f"{plain}-{secrets.token_hex(3)}" for _ in range(5)]
    return suffixed if UUID_FORMAT.fullmatch(plain) else [plain, *suffixed]
