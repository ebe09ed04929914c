"""Add our parameters to URLs that belong to the shop: `callback_url` and `cancel_url`."""


def with_query(url: str, parameters: str) -> str:
    """Return the URL with the parameters, such as `reference=pay-1`, at the end of its query.

    Everything else in the URL stays as it is, byte for byte, because a shop may sign it or compare it.
    """
    address, hash_sign, fragment = url.partition("#")
    query = address.partition("?")[2]
    separator = "?" if "?" not in address else "" if not query or query.endswith("&") else "&"
    return f"{address}{separator}{parameters}{hash_sign}{fragment}"
