"""docs/openapi/*.json: typed errors, and names from which clients can be generated."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.documents import source

DOCUMENTS = {
    path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[2] / "docs" / "openapi").glob("*.json")
}
WEBHOOKS, CALLBACK = "/payments/webhooks/paystack", "/payments/callback"
TOKEN_ENDPOINTS = {"/auth/token", "/auth/revoke"}
"""Their errors follow RFC 6749."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for document in DOCUMENTS.values():
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                yield method, path, operation


def problems() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield operation id, status and schema of every problem response."""
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            if found := response.get("content", {}).get("application/problem+json"):
                yield operation["operationId"], int(status), found["schema"]


def test_every_service_has_a_document() -> None:
    assert set(DOCUMENTS) == {"auth", "catalog", "payments", "shop"}


def test_operation_ids_are_camel_case_and_unique_among_all_services() -> None:
    # getIndex is the same operation of every service.
    ids = Counter(name for name, _ in {(operation["operationId"], path) for _, path, operation in operations()})
    assert [name for name, count in ids.items() if count > 1] == []
    assert [name for name in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)] == []
    assert {"registerAccount", "placeOrder", "startPayment", "getPayment", "requestRefund"} <= set(ids)


def test_every_summary_contains_the_nouns_of_its_operation_id() -> None:
    missing = []
    for _, _, operation in operations():
        nouns = re.findall("[A-Z][a-z]+", operation["operationId"])
        words = operation["summary"].lower().replace("'s", "").replace("e-mail", "email")
        missing += [f"{operation['operationId']}: {noun}" for noun in nouns if noun.lower() not in words]
    assert missing == []


@pytest.mark.parametrize("service", DOCUMENTS)
def test_there_is_one_schema_of_problems(service: str) -> None:
    schemas = DOCUMENTS[service]["components"]["schemas"]
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)
    properties = schemas["Problem"]["properties"]
    assert {"type", "title", "status", "code", "detail", "request_id", "errors"} == set(properties)
    assert properties["errors"]["items"] == {"$ref": "#/components/schemas/FieldError"}
    assert set(schemas["FieldError"]["properties"]) == {"in", "message", "type"}


def test_every_problem_response_has_the_schema_and_lists_its_codes() -> None:
    for operation_id, status, schema in problems():
        reference, own = schema["allOf"]
        assert reference == {"$ref": "#/components/schemas/Problem"}, (operation_id, status)
        codes = own["properties"]["code"]["enum"]
        assert codes, (operation_id, status)
        assert len(set(codes)) == len(codes), (operation_id, status)
        assert own["required"] == ["code"], (operation_id, status)


def test_every_error_response_has_a_schema() -> None:
    missing = [
        (operation["operationId"], status)
        for _, _, operation in operations()
        for status, response in operation["responses"].items()
        if status[0] in "45"
        for content in response["content"].values() or [{}]
        if not content.get("schema")
    ]
    assert missing == []


def test_every_successful_response_has_a_schema_or_no_body() -> None:
    """A route without a result must not answer `null` (kit/http/routing.py). Redirects, 304 and 204 have no body."""
    without = []
    for method, path, operation in operations():
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            without += [
                (method, path, status) for kind, found in content.items() if "json" in kind and not found["schema"]
            ]
    assert without == []
    empty = {
        path
        for _, path, operation in operations()
        if operation["responses"].get("202", {"content": 1}).get("content") is None
    }
    assert "/auth/password/forgot" in empty


def test_every_operation_declares_the_errors_that_its_path_method_and_body_can_cause() -> None:
    for method, path, operation in operations():
        declared = {int(status) for status in operation["responses"]}
        expected = set() if path == WEBHOOKS else {422}
        if path not in {"/livez", "/readyz"}:
            expected |= {503} if path == WEBHOOKS else {429, 503}
        if "{" in path:
            expected.add(404)
        if operation.get("security"):
            expected.add(401)
        if method in {"post", "put", "patch"}:
            expected |= {413} if path == WEBHOOKS else {413, 415}
        if "requestBody" in operation or path == WEBHOOKS:
            expected |= {408} if path == WEBHOOKS else {400, 408}
        assert expected <= declared, (operation["operationId"], sorted(expected - declared))
        assert all(status.isdigit() for status in operation["responses"]), operation["operationId"]


OTHERS = {"Problem.status", "PaymentView.paystack_status"}
"""A number, and the text that Paystack reports: it can have new statuses at any time."""


def test_fields_with_a_status_are_enums() -> None:
    plain = []
    for service, document in DOCUMENTS.items():
        for name, schema in document["components"]["schemas"].items():
            for field, content in schema.get("properties", {}).items():
                if (
                    field.endswith("status")
                    and f"{name}.{field}" not in OTHERS
                    and not {"enum", "const"} & _resolved(document, content).keys()
                ):
                    plain.append(f"{service} {name}.{field}")
    assert plain == []


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema to which another refers; for a nullable one, the schema of its value."""
    if "anyOf" in schema:
        (schema,) = [one for one in schema["anyOf"] if one.get("type") != "null"]
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return found
    return schema


def test_optional_query_parameters_may_be_blank_where_blank_ones_count_as_absent() -> None:
    optional = [
        (path, parameter)
        for _, path, operation in operations()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and not parameter["required"]
    ]
    assert optional
    assert {path for path, parameter in optional if not parameter.get("allowEmptyValue")} <= {CALLBACK}


@pytest.mark.parametrize("service", sorted(DOCUMENTS))
def test_patterns_mean_the_same_in_every_language(service: str) -> None:
    """`\\s`, `\\w`, `\\d` and `\\b` match other characters in Python, JavaScript and Rust."""
    patterns = re.findall(r"'pattern': '([^']*)'", str(DOCUMENTS[service]))
    assert patterns
    assert [pattern for pattern in patterns if re.search(r"\\[swdbSWDB]", pattern)] == []


def test_names_of_dictionaries_are_limited_by_property_names() -> None:
    # `patternProperties` allows all other names, and generated clients do not know it.
    assert [name for name, document in DOCUMENTS.items() if "patternProperties" in json.dumps(document)] == []
    metadata = DOCUMENTS["payments"]["components"]["schemas"]["StartPayment"]["properties"]["metadata"]["anyOf"][0]
    assert metadata["propertyNames"] == {"pattern": "^[A-Za-z0-9_.-]{1,40}$"}


def texts(value: object) -> Iterator[str]:
    """Yield the values of `description` and `summary` in a document."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name in {"description", "summary"} and isinstance(each, str):
                yield each
            else:
                yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def test_no_text_names_a_file_or_a_constant_of_the_code() -> None:
    code = source("contracts", "kit", "services")
    assigned = re.findall(r"^\s*([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:: [^=\n]+)? = (.*)", code, re.MULTILINE)
    # Some constants are called like the code of Paystack that they contain.
    constants = {name for name, value in assigned if value != f'"{name}"'}
    found = set()
    for text in chain.from_iterable(map(texts, DOCUMENTS.values())):
        named = constants & set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", text))
        found |= named | set(re.findall(r"\b[\w/]+\.py\b", text))
    assert found == set()
