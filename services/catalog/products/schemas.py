"""Requests and responses of products."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from kit.fields import MAX_AMOUNT, Currency, Line, Paragraph, Pattern
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.catalog.slugs import ChosenSlug
from services.catalog.statuses import Availability, ProductKind, ProductStatus
from services.catalog.tags.schemas import TagName
from services.catalog.variants.schemas import MAX_OPTIONS, OptionName

EXAMPLE_ID = "7d1f6f0e-4a51-4a53-9a3f-0d8b3e6c2b11"


Tags = Annotated[list[TagName], Field(max_length=20)]
Price = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
Stock = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
STOCK = "Number of units that can still be ordered; null means unlimited"
OPTIONS = "Names of the options that its variants differ in, such as `size`; empty if the product has one variant"
MEDIA = "Pictures and videos, in the sequence in which they are shown"
Link = Annotated[
    str,
    StringConstraints(max_length=2000),
    Pattern(
        r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$",
        "must be a link that begins with https://, without user name, password and spaces",
    ),
]
LOW_STOCK = "`availability` is `low` while at most this number of units can be ordered"
WHEN = "Present in three cases: with `?include=stock`, for callers with the scope `stock:write`, or in the answers to editors"
PRICE = "Price of one unit, in subunits of the currency (kobo, pesewa, cent)"
STATUS = (
    "`draft`: not offered yet; `active`: listed and can be ordered; `archived`: not offered any more. "
    "Only editors see drafts and archived products"
)
KIND = (
    "`digital`: delivered as soon as it is paid; `service`: staff perform it; `shipped`: staff ship it, and orders need an address. "
    "Items of existing orders keep their kind"
)
TAGS = "Labels for filtering, stored in lower case without duplicates"


class Media(RequestModel):
    """A picture or video of a product, which another server stores."""

    url: Link = Field(description="Link with https, without user name and password")
    alt: Line = Field(description="Alternative text: what the picture shows, for people who cannot see it")


OptionNames = Annotated[list[OptionName], Field(max_length=MAX_OPTIONS)]
MediaList = Annotated[list[Media], Field(max_length=20)]


class ProductSort(StrEnum):
    """The sort orders of a list of products."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    PRICE = "price"
    PRICE_DESCENDING = "-price"
    NAME = "name"


class CreateProduct(RequestModel):
    model_config = example(
        {
            "name": "Wireless headphones",
            "description": "Thirty hours between two charges.",
            "price": 4_500_000,
            "currency": "NGN",
            "stock": 20,
            "tags": ["audio", "wireless"],
        }
    )

    name: Line = Field(description="Name of the product")
    slug: ChosenSlug | None = Field(default=None, description="Unique name in URLs. Default: made from `name`")
    description: Paragraph | None = Field(default=None, description="Text for customers")
    price: Price = Field(description=f"{PRICE}. 0 is possible: an order of amount 0 is delivered without a payment")
    currency: Currency = Field(description="ISO 4217 code; it cannot be changed later")
    stock: Stock | None = Field(default=None, description="Number of units on hand; null means unlimited")
    low_stock: Stock = Field(default=5, description=LOW_STOCK)
    category_id: UUID | None = Field(default=None, description="Id of the product's category")
    status: ProductStatus = Field(default=ProductStatus.ACTIVE, description=STATUS)
    kind: ProductKind = Field(default=ProductKind.DIGITAL, description=KIND)
    tags: Tags | None = Field(default=None, description=TAGS)
    media: MediaList = Field(default=[], description=MEDIA)
    options: OptionNames = Field(
        default=[], description=f"{OPTIONS}. They cannot be changed later; with options, stock is set for each variant"
    )

    @model_validator(mode="after")
    def _check_options(self) -> "CreateProduct":
        if self.options and self.stock is not None:
            raise ValueError("stock must be absent if there are options: set the stock of each variant")
        if len(set(self.options)) < len(self.options):
            raise ValueError("options must differ from each other")
        return self


class UpdateProduct(RequestModel):
    """Absent fields do not change. Existing orders have the price and the name at the time of the order."""

    model_config = example({"price": 4_200_000, "status": "active"})

    name: Line | SkipJsonSchema[None] = Field(default=None, description="Name of the product")
    slug: ChosenSlug | SkipJsonSchema[None] = Field(
        default=None, description="Unique name in URLs. Requests with the old one are redirected (301)"
    )
    description: Paragraph | SkipJsonSchema[None] = Field(default=None, description="Text for customers")
    price: Price | SkipJsonSchema[None] = Field(default=None, description=PRICE)
    status: ProductStatus | SkipJsonSchema[None] = Field(default=None, description=STATUS)
    kind: ProductKind | SkipJsonSchema[None] = Field(default=None, description=KIND)
    low_stock: Stock | SkipJsonSchema[None] = Field(default=None, description=LOW_STOCK)
    category_id: UUID | None = Field(default=None, description="Id of the product's category; null removes it")
    tags: Tags | SkipJsonSchema[None] = Field(default=None, description=TAGS)
    media: MediaList | SkipJsonSchema[None] = Field(
        default=None, description=f"{MEDIA}. The list replaces the earlier one"
    )

    @field_validator("name", "slug", "description", "price", "status", "kind", "low_stock", "tags", "media")
    @classmethod
    def _refuse_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null; leave the field out to keep its current value")
        return value


class ProductView(ResponseModel):
    model_config = example(
        {
            "id": EXAMPLE_ID,
            "slug": "wireless-headphones",
            "name": "Wireless headphones",
            "description": "Thirty hours between two charges.",
            "status": "active",
            "kind": "digital",
            "price": 4_500_000,
            "currency": "NGN",
            "availability": "in_stock",
            "low_stock": 5,
            "category_id": None,
            "tags": ["audio", "wireless"],
            "media": [{"url": "https://cdn.example.com/headphones.jpg", "alt": "Black headphones on a table"}],
            "options": [],
            "version": 1,
            "created_at": "2026-03-01T09:30:00Z",
            "updated_at": "2026-03-01T09:30:00Z",
        }
    )

    id: UUID = Field(description="Id of the product")
    slug: str = Field(description="Name in URLs, unique among products")
    name: str = Field(description="Name of the product")
    description: str = Field(description="Text for customers; empty if there is none")
    status: ProductStatus = Field(description=STATUS)
    kind: ProductKind = Field(description=KIND)
    price: int = Field(description=PRICE)
    currency: str = Field(description="ISO 4217 code")
    availability: Availability = Field(
        description="`in_stock`, `low` (few units can be ordered) or `out` (no unit can be ordered)"
    )
    stock: int | None = Field(default=None, description=f"{STOCK}. {WHEN}")
    low_stock: int = Field(description=LOW_STOCK)
    category_id: UUID | None = Field(description="Id of the product's category, or null")
    tags: list[str] = Field(description="Labels in lower case")
    media: list[Media] = Field(description=MEDIA)
    options: list[str] = Field(description=OPTIONS)
    version: int = Field(
        description="Number of the version, which each change of the product or its variants increases"
    )
    created_at: datetime = Field(description="When the product was created")
    updated_at: datetime = Field(
        description="When the product was created, or when it or its variants were last changed"
    )


class TagFacet(ResponseModel):
    name: str = Field(description="Name of the tag")
    products: int = Field(description="Number of products of the list with this tag")


class CategoryFacet(ResponseModel):
    id: UUID = Field(description="Id of the category")
    slug: str = Field(description="Name in URLs, unique among categories")
    name: str = Field(description="Name of the category")
    products: int = Field(description="Number of products of the list in this category and the categories below it")


class Facets(ResponseModel):
    """How many products of the list have each tag, and are in each subcategory: at most twenty of each, those with the most products."""

    complete: bool = Field(
        description="True if it is certain that all products of the list were counted; always false with the filter "
        "`availability`. If it is false, perhaps only the newest 1,000 products of the list were counted, or fewer"
    )
    tags: list[TagFacet]
    categories: list[CategoryFacet] = Field(
        description="The categories directly below `category`, or those at the top if it is absent"
    )


class ProductPage(PageResponse[ProductView]):
    """One page of products."""

    corrected: str | None = Field(
        default=None,
        description="If no product matches the search text: the corrected text that was searched for instead",
    )
    facets: Facets | None = Field(default=None, description="Only with `facets=true`")
    ranked_newest: int | None = Field(
        default=None,
        description="Null if the list contains all matches. Otherwise it may contain only the newest matches: at most this many, "
        "sorted by relevance",
    )
