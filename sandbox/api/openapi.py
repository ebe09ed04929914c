"""OpenAPI descriptions of bodies and query parameters that the routes parse without pydantic, to accept what Paystack accepts."""

from typing import Any

PERIOD = ("from", "to")
PAGING = ("perPage", "page")


def body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a body that may be JSON or form-encoded."""
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
