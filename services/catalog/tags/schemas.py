"""Requests and responses of tags."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from kit.fields import Line
from kit.schemas import PageResponse, RequestModel, ResponseModel, example


def _lower(tag: str) -> str:
    return tag.lower()


TagName = Annotated[Line, StringConstraints(max_length=50), AfterValidator(_lower)]


class UpdateTag(RequestModel):
    model_config = example({"name": "wireless"})

    name: TagName = Field(description="New name of the tag, stored in lower case")
    merge: bool = Field(
        default=False,
        strict=True,
        description="If another tag has this name: false refuses the change, true moves the products to that tag and deletes this one",
    )


class TagView(ResponseModel):
    model_config = example({"name": "wireless", "products": 12})

    name: str = Field(description="Name of the tag, unique, in lower case")
    products: int = Field(description="Number of products with this tag, at most 1,000: 1,000 means 1,000 or more")


class TagPage(PageResponse[TagView]):
    """One page of tags."""
