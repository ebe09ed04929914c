"""The errors of variants. The first line of each docstring is the default `detail` of the response."""

from kit.errors import Problem


class VariantNotFound(Problem):
    """There is no variant with this id. Choose one from GET /catalog/products/{product_id}/variants."""

    status = 404


class VariantExists(Problem):
    """Another variant has this SKU, or this product already has a variant with these options. Choose another one."""

    status = 409


class TooManyVariants(Problem):
    """A product has at most 100 variants. Delete one that is not needed, or make a second product."""

    status = 409


class DefaultVariant(Problem):
    """A product without options keeps its only variant. Delete or archive the product."""

    status = 409


class VariantOrdered(Problem):
    """Orders refer to this variant, so it cannot be deleted. Record a stock movement `counted` with quantity 0 instead."""

    status = 409


class OptionsDiffer(Problem):
    """The variant needs a value for each option of its product, and no other."""

    status = 422
