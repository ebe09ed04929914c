"""Types of request fields: limited in size, and without characters that Postgres cannot store."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from contracts.metadata import MAX_METADATA, RESERVED_METADATA, check_metadata_names

Currency = Literal["NGN", "GHS", "ZAR", "KES", "USD", "XOF"]
"""The currencies in which Paystack accepts payments (Paystack's documentation, "Supported currency")."""

MAX_AMOUNT = 1_000_000_000
"""The largest payment, in subunits: Paystack refuses more than 10,000,000.00 of any currency."""

Amount = Annotated[
    int, Field(strict=True, ge=1, le=MAX_AMOUNT, description="Subunits of the currency (kobo, pesewa, cent)")
]


@dataclass(frozen=True)
class DocumentedPattern:
    """Adds a pattern to the JSON schema of a type whose validators enforce it, so that clients can check it before they send a value."""

    pattern: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}


@dataclass(frozen=True)
class Pattern(DocumentedPattern):
    """A pattern that a text must match completely, and the error message if it does not: pydantic's message would show the pattern."""

    message: str
    """The error message, such as `must be a currency code, for example NGN`."""

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern.removeprefix("^").removesuffix("$"), text):
            raise ValueError(self.message)
        return text


def _check_storable(text: str) -> str:
    if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", text):
        raise ValueError("must not contain control characters")
    return text


class DocumentedNames:
    """Documents the pattern of the names of a dictionary as `propertyNames`.

    pydantic writes `patternProperties`, which allows all other names, and which most generators of clients do not know.
    """

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        documented = handler(schema)
        for pattern, values in documented.pop("patternProperties", {}).items():
            names = {**documented.get("propertyNames", {}), "pattern": pattern}
            documented |= {"propertyNames": names, "additionalProperties": values}
        return documented


def _check_one_line(text: str) -> str:
    if re.search("[\t\n\r\x85\u2028\u2029]", text):
        raise ValueError("must not contain line breaks or tabs")
    return _check_storable(text)


WHITESPACE = r"\t\n\x0b\x0c\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The characters with Unicode's property White_Space, for patterns. `\\s` has other characters in Python, JavaScript and Rust."""

_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_CONTROL_AND_BREAK = r"\x00-\x1f\x7f\x85\u2028\u2029"

Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_check_one_line),
    DocumentedPattern(rf"^[^{_CONTROL_AND_BREAK}]*[^{WHITESPACE}{_CONTROL_AND_BREAK}][^{_CONTROL_AND_BREAK}]*$"),
]
"""One line of text. It must not be empty."""

Paragraph = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=10_000),
    AfterValidator(_check_storable),
    DocumentedPattern(rf"^[^{_CONTROL}]*$"),
]
"""Text of any number of lines. It may be empty."""

NonEmptyParagraph = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000),
    AfterValidator(_check_storable),
    DocumentedPattern(rf"^[^{_CONTROL}]*[^{WHITESPACE}{_CONTROL}][^{_CONTROL}]*$"),
]
"""Text of any number of lines. It must not be empty."""

_ADDRESS_CHARACTERS = rf"[^@{WHITESPACE}\x00-\x1f\x7f]+"
EmailAddress = Annotated[
    str,
    StringConstraints(max_length=200),
    Pattern(rf"^{_ADDRESS_CHARACTERS}@{_ADDRESS_CHARACTERS}$", "must be an e-mail address"),
]
"""An e-mail address that is passed on to Paystack, which checks it itself."""

PhoneNumber = Annotated[
    str,
    Pattern(
        r"^\+?[0-9 ()-]{5,20}$",
        "must be a phone number: 5 to 20 digits, spaces, hyphens and brackets, after an optional +",
    ),
]
HttpUrl = Annotated[str, Pattern(r"^https?://.*$", "must begin with http:// or https://")]
Slug = Annotated[
    str,
    StringConstraints(max_length=100),
    Pattern(r"^[a-z0-9]+(-[a-z0-9]+)*$", "must be lower-case letters and digits, with single hyphens between them"),
]
Word = Annotated[str, Pattern(r"^[\x21-\x7e]{1,200}$", "must be 1 to 200 ASCII characters without spaces")]
ReferenceText = Annotated[
    str, Pattern(r"^[A-Za-z0-9.=_-]{1,200}$", "must be 1 to 200 letters, digits and the signs . = _ -")
]
"""The reference of a payment, in the characters that Paystack allows."""

IdempotencyKey = Annotated[str, Pattern(r"^[\x21-\x7e]{1,255}$", "must be 1 to 255 ASCII characters without spaces")]
"""Visible ASCII, at most 255 characters."""

MetadataKey = Annotated[
    str, Pattern(r"^[A-Za-z0-9_.-]{1,40}$", "a name must be 1 to 40 letters, digits and the signs . _ -")
]
MetadataText = Annotated[
    str,
    StringConstraints(max_length=500),
    AfterValidator(_check_storable),
    DocumentedPattern(rf"^[^{_CONTROL}]*$"),
]
Metadata = Annotated[
    dict[MetadataKey, MetadataText],
    Field(max_length=MAX_METADATA),
    AfterValidator(check_metadata_names),
    DocumentedNames(),
]
"""Texts that a shop attaches to an order or a payment for its own use. They are stored, returned and published, and change nothing."""

METADATA_RULE = f"At most {MAX_METADATA}; these names are reserved: {', '.join(sorted(RESERVED_METADATA))}"
"""For the descriptions of fields."""


def _refuse_number(value: object) -> object:
    if isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9.]+\s*", value)):
        raise ValueError("must be a date and time, such as 2026-11-24T03:00Z")
    return value


def _check_year(time: datetime) -> datetime:
    if not 2000 <= time.year < 2200:
        raise ValueError("must be between the years 2000 and 2199")
    return time


NOT_A_NUMBER = BeforeValidator(_refuse_number)
"""Refuses a number where a time is expected: pydantic would accept it, also as a text of digits, as seconds since 1970."""

Moment = Annotated[AwareDatetime, NOT_A_NUMBER, AfterValidator(_check_year)]
"""A time with a UTC offset."""
