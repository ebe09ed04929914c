"""The errors of tags. The first line of each docstring is the default `detail` of the response."""

from kit.errors import Problem


class TagNotFound(Problem):
    """There is no tag with this name. Choose one from GET /catalog/tags."""

    status = 404


class TagExists(Problem):
    """Another tag already has this name. Repeat the request with `merge: true` to merge the two tags, or choose another name."""

    status = 409
