"""Requests and responses of categories."""

from uuid import UUID

from pydantic import Field

from kit.fields import Line
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.catalog.slugs import ChosenSlug

EXAMPLE_ID = "7d1f6f0e-4a51-4a53-9a3f-0d8b3e6c2b11"


class CreateCategory(RequestModel):
    model_config = example({"name": "Headphones", "slug": "headphones"})

    name: Line = Field(description="Name of the category")
    slug: ChosenSlug | None = Field(default=None, description="Unique name in URLs. Default: made from `name`")


class CategoryView(ResponseModel):
    model_config = example({"id": EXAMPLE_ID, "slug": "headphones", "name": "Headphones"})

    id: UUID = Field(description="Id of the category")
    slug: str = Field(description="Name in URLs, unique among categories")
    name: str = Field(description="Name of the category")


class CategoryPage(PageResponse[CategoryView]):
    """One page of categories."""
