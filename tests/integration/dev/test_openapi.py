"""docs/openapi/*.json are the documents that the services and the gateway serve."""

import json
import re

import pytest

from dev import PROJECT, openapi
from dev.merged_openapi import INTERNAL, ROUTED, Json, references
from dev.stack.names import SERVICES


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return openapi.documents()


@pytest.mark.parametrize("name", [*SERVICES, "shop"])
def test_committed_document_is_that_of_the_current_routes(name: str, documents: dict[str, str]) -> None:
    committed = (openapi.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert committed == documents[f"{name}.json"], "run: make openapi"
    assert json.loads(committed)["info"]["title"] == name


def test_document_of_the_gateway_has_every_operation_that_it_routes(documents: dict[str, str]) -> None:
    shop = json.loads(documents["shop.json"])
    routed = {path for service in SERVICES for path in json.loads(documents[f"{service}.json"])["paths"]}
    assert shop["paths"].keys() == routed - {"/livez", "/readyz", *INTERNAL}
    assert "/.well-known/jwks.json" in shop["paths"]


@pytest.mark.parametrize("name", [*SERVICES, "shop"])
def test_references_of_a_document_lead_to_a_component(name: str, documents: dict[str, str]) -> None:
    document: Json = json.loads(documents[f"{name}.json"])
    components = document["components"]
    found = {reference.removeprefix("#/components/") for reference in references(document)}
    assert found
    assert found <= {f"{kind}/{key}" for kind, entries in components.items() for key in entries}
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    used = {scheme for operation in operations for need in operation.get("security", []) for scheme in need}
    assert used <= components["securitySchemes"].keys()


def test_prefixes_of_the_document_are_those_that_the_gateway_routes() -> None:
    caddyfile = (PROJECT / "deploy" / "gateway" / "Caddyfile").read_text()
    for service, prefixes in ROUTED.items():
        matcher = re.search(rf"@{service} path (.*)\n\s*reverse_proxy @{service} {service}:", caddyfile)
        assert matcher
        assert {path.removesuffix("/*") for path in matcher[1].split()} == set(prefixes)
