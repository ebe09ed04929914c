"""The errors of categories. The first line of each docstring is the default `detail` of the response."""

from kit.errors import Problem


class CategoryNotFound(Problem):
    """There is no category with this id. Choose one from GET /catalog/categories."""

    status = 404


class CategoryTreeInvalid(Problem):
    """The category cannot have this parent: a category cannot be inside itself, and the tree has at most eight levels."""

    status = 409


class CategoryNotEmpty(Problem):
    """The category has subcategories (move or delete them first) or products (choose `?products=detach` or `?products=move_to:<id>`)."""

    status = 409
