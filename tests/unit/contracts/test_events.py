"""Events evolve by addition: every published version is still parsed, and unknown fields are ignored."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.events import EVENT_ADAPTER, AccountEvent, OrderUndeliverable, PaymentEvent
from contracts.topology import CONSUMED
from dev.asyncapi import PUBLISHED, event_type

EXAMPLES = sorted(Path(__file__).with_name("examples").glob("*.json"))
ABOUT_PAYMENTS = [path for path in EXAMPLES if not path.name.startswith("account.")]
TYPES = {event_type(event): event for sent in PUBLISHED.values() for event in sent}


def example(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def test_every_event_has_an_example() -> None:
    assert {path.name.rpartition(".v")[0] for path in EXAMPLES} == set(TYPES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_published_version_is_parsed(path: Path) -> None:
    event = EVENT_ADAPTER.validate_json(path.read_bytes())
    assert type(event) is TYPES[path.name.rpartition(".v")[0]]
    assert EVENT_ADAPTER.validate_json(event.model_dump_json(exclude_none=True)) == event


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_all_fields_that_are_published_today(path: Path) -> None:
    event_json = example(path)
    event = EVENT_ADAPTER.validate_json(path.read_bytes())
    assert set(event_json) | {"traceparent"} == set(type(event).model_fields)
    assert set(event_json["data"]) == set(type(event.data).model_fields)
    assert event.subject == event.data.subject


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_unknown_fields_are_ignored(path: Path) -> None:
    event_json = example(path)
    event_json |= {"comexampleextension": "x", "sequence": 7, "data": event_json["data"] | {"later": {"a": [1]}}}
    assert EVENT_ADAPTER.validate_python(event_json) == EVENT_ADAPTER.validate_json(path.read_bytes())


@pytest.mark.parametrize("path", ABOUT_PAYMENTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("missing", ["type", "subject", "data", "reference", "order_id", "amount", "currency"])
def test_an_event_without_a_required_field_is_refused(path: Path, missing: str) -> None:
    event_json = example(path)
    if missing in event_json:
        del event_json[missing]
    else:
        del event_json["data"][missing]
    with pytest.raises(ValidationError):
        EVENT_ADAPTER.validate_python(event_json)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_event_without_a_source_has_that_of_its_type(path: Path) -> None:
    event_json = example(path)
    source = event_json.pop("source")
    assert EVENT_ADAPTER.validate_python(event_json).source == source


@pytest.mark.parametrize("path", ABOUT_PAYMENTS, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", -1),
        ("amount", 1.5),
        ("amount", 2**53 + 1),
        ("currency", "ngn"),
        ("currency", "NAIRA"),
        ("reference", ""),
        ("reference", "r" * 201),
        ("order_id", "7"),
    ],
)
def test_an_invalid_value_is_refused(path: Path, field: str, value: object) -> None:
    event_json = example(path)
    event_json["data"][field] = value
    with pytest.raises(ValidationError):
        EVENT_ADAPTER.validate_python(event_json)


@pytest.mark.parametrize(
    "changes", [{"type": "payment.invented"}, {"specversion": "0.3"}, {"time": "2026-11-23T09:15:03"}]
)
def test_an_invalid_envelope_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        EVENT_ADAPTER.validate_python(example(EXAMPLES[0]) | changes)


@pytest.mark.parametrize(
    "changes", [{"account_id": "7"}, {"account_id": None}, {"email": "a\x00b"}, {"name": "n" * 201}]
)
def test_an_invalid_value_of_an_account_is_refused(changes: dict[str, object]) -> None:
    event_json = example(Path(__file__).with_name("examples") / "account.changed.v1.json")
    with pytest.raises(ValidationError):
        EVENT_ADAPTER.validate_python({**event_json, "data": event_json["data"] | changes})


def test_an_event_about_an_account_when_the_subject_is_another_account_is_refused() -> None:
    event_json = example(Path(__file__).with_name("examples") / "account.deleted.v1.json")
    with pytest.raises(ValidationError):
        EVENT_ADAPTER.validate_python(event_json | {"subject": "c0d5f0a2-7f3e-4d6b-8a11-2b9e6c4d1f77"})


def test_without_person_removes_name_and_address_only() -> None:
    for name in ("account.changed", "account.merged"):
        event: Any = EVENT_ADAPTER.validate_json(
            (Path(__file__).with_name("examples") / f"{name}.v1.json").read_bytes()
        )
        stripped = event.without_person()
        assert "ada" not in stripped.model_dump_json(exclude_none=True).lower()
        assert (stripped.id, stripped.data.account_id) == (event.id, event.data.account_id)
        assert EVENT_ADAPTER.validate_json(stripped.model_dump_json(exclude_none=True)) == stripped


def test_each_service_parses_only_the_events_that_it_consumes() -> None:
    adapters: dict[str, TypeAdapter[Any]] = {
        "payment": TypeAdapter(PaymentEvent),
        "order": TypeAdapter(OrderUndeliverable),
        "account": TypeAdapter(AccountEvent),
    }
    for path in EXAMPLES:
        for noun, events in adapters.items():
            try:
                events.validate_json(path.read_bytes())
                read = True
            except ValidationError:
                read = False
            assert read is path.name.startswith(f"{noun}.")


def test_every_event_has_a_bound_queue() -> None:
    """Otherwise the relay would keep it forever: an event that no queue takes stays in the outbox."""
    bindings = {binding for queues in CONSUMED.values() for queue in queues for binding in queue.bindings}
    assert {f"{name.partition('.')[0]}.*" for name in TYPES} <= bindings
