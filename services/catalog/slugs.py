"""Slugs: the names that addresses are made of."""

import re
import secrets
import unicodedata
from uuid import UUID

from sqlalchemy import ColumnElement, false
from sqlalchemy.orm import InstrumentedAttribute

from services.catalog.schemas import UUID_FORM

SLUG_FORM = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def named(id_or_slug: str, ids: InstrumentedAttribute[UUID], slugs: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition that a row has this id, or this slug; none has what is neither."""
    if UUID_FORM.fullmatch(id_or_slug):
        return ids == UUID(id_or_slug)
    return slugs == id_or_slug if SLUG_FORM.fullmatch(id_or_slug) else false()


def slugs_for(name: str, otherwise: str) -> list[str]:
    """Slugs to try for a name, plain first; `otherwise` where it has no letter or digit that a slug can hold."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:80].strip("-") or otherwise
    suffixed = [f"{plain}-{secrets.token_hex(3)}" for _ in range(5)]
    return suffixed if UUID_FORM.fullmatch(plain) else [plain, *suffixed]
