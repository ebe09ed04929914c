"""Slugs: readable names in URLs."""

import re
import secrets
from typing import Annotated, Literal
from uuid import UUID

from anyascii import anyascii
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


def format_of(id_or_slug: str) -> Literal["id", "slug", "none"]:
    """Return the format of a text that should be an id or a slug. A text that is neither, such as NUL, is not sent to the database."""
    if UUID_FORMAT.fullmatch(id_or_slug):
        return "id"
    return "slug" if SLUG_FORMAT.fullmatch(id_or_slug) else "none"


def has_id_or_slug(
    id_or_slug: str, ids: InstrumentedAttribute[UUID], slugs: InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    """Return the condition that a row has this id or this slug. The condition is false if the text has neither format."""
    text_format = format_of(id_or_slug)
    if text_format == "id":
        return ids == UUID(id_or_slug)
    return slugs == id_or_slug if text_format == "slug" else false()


def candidates(name: str, fallback: str) -> list[str]:
    """Return slugs to try for a name in any script: first the slug of the name, then slugs with a random suffix.

    `fallback` is used if no character of the name can be written with Latin letters or digits.
    """
    latin = "".join(map(_to_latin, name)).lower()
    plain = re.sub(r"[^a-z0-9]+", "-", latin).strip("-")[:MAX_LENGTH].strip("-") or fallback
    suffixed = [f"{plain}-{secrets.token_hex(3)}" for _ in range(5)]
    return suffixed if UUID_FORMAT.fullmatch(plain) else [plain, *suffixed]


def _to_latin(character: str) -> str:
    """Return a character in Latin letters. A syllable of a script without spaces, such as `本`, becomes a word of its own."""
    if character.isascii():
        return character
    latin = anyascii(character).strip("'`")
    return f" {latin} " if latin[:1].isupper() and character.upper() == character.lower() else latin
