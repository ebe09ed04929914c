"""The error responses of an operation in its OpenAPI document: one schema for each status, with the codes that can occur."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from kit.errors import MEDIA_TYPE, TITLES, Problem
from kit.validation_errors import FieldError

SCHEMA_REF = "#/components/schemas/{model}"
Responses = dict[int | str, dict[str, Any]]


class ProblemSchema(BaseModel):
    """An error (RFC 9457). Branch on `code`, which does not change, and show `detail` to the user."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="`urn:problem-type:shop:` and the code")
    title: str = Field(description="The name of the status")
    status: int = Field(description="The status of the response")
    code: str = Field(description="The error, for programs")
    detail: str = Field(description="What is wrong and what to do now, for people")
    request_id: str | None = Field(
        description="Also in the header X-Request-ID and in the logs. Quote it when you report a problem"
    )
    errors: list[FieldError] = Field(
        default=[],
        description="The invalid fields and parameters, at most 50. Absent unless the code is `invalid_request`",
    )


def problem_responses(*problems: type[Problem]) -> Responses:
    """Return the OpenAPI responses for the errors that an endpoint raises: `responses=problem_responses(OutOfStock, OrderNotFound)`.

    The errors of dependencies and of the rules of every route are added by Route (kit.http.routing).
    """
    responses: Responses = {}
    add_problems(responses, problems)
    return responses


def add_problems(responses: Responses, problems: Iterable[type[Problem]]) -> None:
    """Add errors to the responses of an operation. What is there already stays."""
    for problem in problems:
        response = responses.setdefault(problem.status, {"description": f"{TITLES[problem.status]}\n"})
        content = response.setdefault("content", {})
        if MEDIA_TYPE not in content:
            content[MEDIA_TYPE] = {"schema": narrowed(ProblemSchema, "code", [])}
        media_type = content[MEDIA_TYPE]
        own = media_type["schema"]["allOf"][1]
        codes = own["properties"]["code"]["enum"]
        if problem.code not in codes:
            codes.append(problem.code)
            response["description"] += f"\n- `{problem.code}`: {problem.default_detail()}"
            for name, kind in problem.members.items():
                schema = TypeAdapter(kind).json_schema(ref_template=SCHEMA_REF)
                media_type["schema"]["$defs"] |= schema.pop("$defs", {})
                own["properties"][name] = schema


def narrowed(model: type[BaseModel], field: str, values: list[str]) -> dict[str, Any]:
    """Return a schema of `model` whose `field` can only have these values.

    The definition of the model itself is in `$defs`; `take_definitions` moves it into the components of the document.
    """
    schema = json.loads(_schema(model))
    definitions = {**schema.pop("$defs", {}), schema["title"]: schema}
    own = {"type": "object", "properties": {field: {"type": "string", "enum": values}}, "required": [field]}
    return {"allOf": [{"$ref": SCHEMA_REF.format(model=schema["title"])}, own], "$defs": definitions}


@cache
def _schema(model: type[BaseModel]) -> str:
    """Return the schema of a model as JSON. pydantic takes a millisecond for it, and an app needs that of the errors a hundred times."""
    return json.dumps(model.model_json_schema(ref_template=SCHEMA_REF))


def take_definitions(response: dict[str, Any]) -> dict[str, Any]:
    """Remove the definitions in the schemas of a response, and return them by name."""
    found: dict[str, Any] = {}
    for media_type in response.get("content", {}).values():
        found |= media_type.get("schema", {}).pop("$defs", {})
    return found
