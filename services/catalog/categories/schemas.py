"""Requests and responses of categories."""

from uuid import UUID

from pydantic import Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from kit.fields import Line
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.catalog.slugs import ChosenSlug

EXAMPLE_ID = "7d1f6f0e-4a51-4a53-9a3f-0d8b3e6c2b11"
PARENT_ID = "0c2a4c7e-9a53-4f0e-8b1d-3e6c2b117d1f"
PARENT = "Id of the category above; null for a category at the top. The tree has at most eight levels"


class CreateCategory(RequestModel):
    model_config = example({"name": "Headphones", "slug": "headphones", "parent_id": PARENT_ID})

    name: Line = Field(description="Name of the category")
    slug: ChosenSlug | None = Field(default=None, description="Unique name in URLs. Default: made from `name`")
    parent_id: UUID | None = Field(default=None, description=PARENT)


class UpdateCategory(RequestModel):
    """Absent fields do not change. With `parent_id`, the category moves with its subcategories."""

    model_config = example({"name": "Headphones and earphones", "parent_id": PARENT_ID})

    name: Line | SkipJsonSchema[None] = Field(default=None, description="Name of the category")
    slug: ChosenSlug | SkipJsonSchema[None] = Field(default=None, description="Unique name in URLs")
    parent_id: UUID | None = Field(default=None, description=PARENT)

    @field_validator("name", "slug")
    @classmethod
    def _refuse_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null; leave the field out to keep its current value")
        return value


class CategoryLink(ResponseModel):
    id: UUID = Field(description="Id of the category")
    slug: str = Field(description="Name in URLs, unique among categories")
    name: str = Field(description="Name of the category")


class CategoryView(CategoryLink):
    model_config = example({"id": EXAMPLE_ID, "slug": "headphones", "name": "Headphones", "parent_id": PARENT_ID})

    parent_id: UUID | None = Field(description="Id of the category above, or null at the top")


class CategoryDetails(CategoryView):
    model_config = example(
        {
            "id": EXAMPLE_ID,
            "slug": "headphones",
            "name": "Headphones",
            "parent_id": PARENT_ID,
            "ancestors": [{"id": PARENT_ID, "slug": "audio", "name": "Audio"}],
            "children": [],
            "version": 1,
        }
    )

    ancestors: list[CategoryLink] = Field(description="The categories above, from the top down")
    children: list[CategoryLink] = Field(
        description="The categories directly below, in order of their slugs, at most 100: GET /catalog/categories?parent=… lists all"
    )
    version: int = Field(description="Number of the version, which each change of this category increases")


class CategoryPage(PageResponse[CategoryView]):
    """One page of categories."""
