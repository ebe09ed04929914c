"""What the OpenAPI page says of bodies and queries that we read ourselves, as leniently or strictly as Paystack does."""

from typing import Any

PERIOD = ("from", "to")
PAGING = ("perPage", "page")


def body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON or a form body."""
    content = {each: {"schema": schema} for each in ("application/json", "application/x-www-form-urlencoded")}
    return {"requestBody": {"required": True, "content": content}}


def query_of(*names: str) -> dict[str, Any]:
    """Parameters, none of which is needed."""
    return {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]}
