"""OpenAPI descriptions of bodies and queries that the routes parse themselves, as leniently or strictly as Paystack does."""

from typing import Any

PERIOD = ("from", "to")
PAGING = ("perPage", "page")


def body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a body that may be JSON or a form."""
    content_types = ("application/json", "application/x-www-form-urlencoded")
    return {
        "requestBody": {
            "required": True,
            "content": {content_type: {"schema": schema} for content_type in content_types},
        }
    }


def query_of(*names: str) -> dict[str, Any]:
    """Describe optional query parameters."""
    return {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]}
