"""What the OpenAPI page says of bodies that we read ourselves."""

from typing import Any


def body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON or a form body."""
    content = {each: {"schema": schema} for each in ("application/json", "application/x-www-form-urlencoded")}
    return {"requestBody": {"required": True, "content": content}}
