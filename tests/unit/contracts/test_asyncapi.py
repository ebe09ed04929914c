"""docs/asyncapi.yaml describes the code and is a valid AsyncAPI document."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.events import EVENT_ADAPTER
from contracts.topology import CONSUMED
from dev import asyncapi

DOCUMENT: dict[str, Any] = yaml.safe_load(asyncapi.FILE.read_text())
EXAMPLES = sorted(Path(__file__).with_name("examples").glob("*.json"))


def test_the_committed_document_is_up_to_date() -> None:
    assert asyncapi.FILE.read_text() == asyncapi.text(), "run: make asyncapi"


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from nodes(one)


def at(reference: str) -> Any:
    """Return the node to which a reference points."""
    assert reference.startswith("#/")
    found: Any = DOCUMENT
    for step in reference[2:].split("/"):
        found = found[step]
    return found


def test_every_reference_resolves() -> None:
    references = [node["$ref"] for node in nodes(DOCUMENT) if "$ref" in node]
    assert len(references) > 20
    assert all(at(reference) for reference in references)


def test_the_document_has_the_fields_that_asyncapi_3_requires() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for channel in DOCUMENT["channels"].values():
        assert {"address", "messages"} <= set(channel)
    for name, operation in DOCUMENT["operations"].items():
        assert operation["action"] in {"send", "receive"}, name
        # An operation's messages are among those of its channel.
        channel = at(operation["channel"]["$ref"])
        of_channel = [f"{operation['channel']['$ref']}/messages/{message}" for message in channel["messages"]]
        assert {message["$ref"] for message in operation.get("messages", [])} <= set(of_channel)


def test_every_sent_event_is_received() -> None:
    sent = {
        at(operation["channel"]["$ref"])["address"]
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == "send"
    }
    received = {
        at(message["$ref"])["name"]
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == "receive"
        for message in at(operation["channel"]["$ref"])["messages"].values()
    }
    assert sent == received
    assert {queue.name for queues in CONSUMED.values() for queue in queues} <= set(DOCUMENT["channels"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_schemas_describe_the_examples(path: Path) -> None:
    said = json.loads(path.read_bytes())
    schema = DOCUMENT["components"]["schemas"][type(EVENT_ADAPTER.validate_python(said)).__name__]
    assert set(schema["required"]) <= set(said) <= set(schema["properties"])
    data = at(schema["properties"]["data"]["$ref"])
    assert set(data["required"]) <= set(said["data"]) <= set(data["properties"])
