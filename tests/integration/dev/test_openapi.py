"""docs/openapi/*.json are the documents that the services serve."""

import json

import pytest

from dev import openapi
from dev.stack.names import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_openapi_document_when_routes_change_is_written_again(service: str) -> None:
    committed = (openapi.FOLDER / f"{service}.json").read_text(encoding="utf-8")
    assert committed == openapi.document(service), "run: make openapi"
    content = json.loads(committed)
    assert committed == json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert content["info"]["title"] == service
