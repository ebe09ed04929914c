"""One document from the documents of the services: shared and renamed components, routed paths, unique operations."""

from typing import Any

import pytest

from dev.merged_openapi import DuplicateOperation, merge, references

Json = dict[str, Any]


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def document(paths: dict[str, tuple[str, str]], **schemas: Json) -> Json:
    """Return a document. `paths`: the operationId and the name of the response's schema by path."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "service", "version": "1"},
        "paths": {
            path: {"get": {"operationId": operation, "responses": {"200": {"schema": ref(schema)}}}}
            for path, (operation, schema) in paths.items()
        },
        "components": {"schemas": schemas},
    }


def schema_of(merged: Json, path: str) -> Json:
    """Return the schema of a path's response."""
    reference = merged["paths"][path]["get"]["responses"]["200"]["schema"]["$ref"]
    found: Json = merged["components"]["schemas"][reference.removeprefix("#/components/schemas/")]
    return found


def test_schemas_with_equal_names_are_shared_when_they_are_equal_and_renamed_when_they_differ() -> None:
    merged = merge(
        {
            "auth": document({"/auth/me": ("me", "View"), "/auth/x": ("x", "Same")}, View={"type": "null"}, Same={}),
            "catalog": document({"/catalog/a": ("a", "View"), "/catalog/b": ("b", "Same")}, View={}, Same={}),
        }
    )
    assert merged["components"]["schemas"].keys() == {"AuthView", "CatalogView", "Same"}
    assert schema_of(merged, "/auth/me") == {"type": "null"}
    assert schema_of(merged, "/catalog/a") == {}


def test_schema_that_refers_to_a_renamed_one_is_renamed_too() -> None:
    merged = merge(
        {
            service: document({f"/{service}": (service, "Page")}, Page={"items": ref("View")}, View={"title": service})
            for service in ("auth", "payments")
        }
    )
    assert schema_of(merged, "/auth") == {"items": ref("AuthView")}
    assert schema_of(merged, "/payments") == {"items": ref("PaymentsView")}


def test_paths_that_the_gateway_does_not_route_are_omitted_with_their_schemas() -> None:
    merged = merge({"auth": document({"/livez": ("live", "Health"), "/authority": ("b", "Health")}, Health={})})
    assert merged["paths"] == {}
    assert merged["components"]["schemas"] == {}


def test_index_is_kept_once() -> None:
    both = {service: document({"/": ("getIndex", "Index")}, Index={}) for service in ("auth", "catalog")}
    assert merge(both)["paths"].keys() == {"/"}


def test_operations_with_equal_ids_are_refused() -> None:
    with pytest.raises(DuplicateOperation, match="list"):
        merge({"auth": document({"/auth/a": ("list", "A"), "/auth/b": ("list", "A")}, A={})})
    with pytest.raises(DuplicateOperation, match="/"):
        merge({service: document({"/": (service, "Index")}, Index={}) for service in ("auth", "catalog")})


def test_references_include_the_mapping_of_a_discriminator() -> None:
    found = references({"discriminator": {"propertyName": "kind", "mapping": {"a": "#/components/schemas/A"}}})
    assert list(found) == ["#/components/schemas/A"]
