"""Base classes of request and response schemas."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class RequestModel(BaseModel):
    """A request body. Unknown fields are refused, so that a misspelled field is not ignored."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(BaseModel):
    """A response body. It can be validated from a table row: `PaymentView.model_validate(payment)`."""

    model_config = ConfigDict(from_attributes=True)


class ListResponse(ResponseModel, Generic[T]):
    """A complete list."""

    items: list[T]


class PageResponse(ResponseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Pass it as `cursor` to get the next page; null on the last page")


def example(value: Mapping[str, Any]) -> ConfigDict:
    """Return a model configuration with `value` as the example in OpenAPI. Pydantic merges it with the configuration of the base class."""
    return ConfigDict(json_schema_extra={"examples": [dict(value)]})
