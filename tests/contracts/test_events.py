"""Events evolve by addition: whatever was published once is still read, and nobody stumbles over what came later."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.events import EVENT_ADAPTER, OrderUndeliverable, PaymentEvent
from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from dev.asyncapi import PUBLISHED, event_type

EXAMPLES = sorted(Path(__file__).with_name("examples").glob("*.json"))
TYPES = {event_type(event): event for sent in PUBLISHED.values() for event in sent}


def example(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def test_every_event_has_an_example() -> None:
    assert {path.name.rpartition(".v")[0] for path in EXAMPLES} == set(TYPES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_version_ever_published_is_read(path: Path) -> None:
    event = EVENT_ADAPTER.validate_json(path.read_bytes())
    assert type(event) is TYPES[path.name.rpartition(".v")[0]]
    assert EVENT_ADAPTER.validate_json(event.model_dump_json(exclude_none=True)) == event


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_all_that_is_published_today(path: Path) -> None:
    said = example(path)
    event = EVENT_ADAPTER.validate_json(path.read_bytes())
    assert set(said) | {"traceparent"} == set(type(event).model_fields)
    assert set(said["data"]) == set(type(event.data).model_fields)
    assert event.subject == str(event.data.order_id)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_unknown_fields_are_ignored(path: Path) -> None:
    said = example(path)
    said |= {"comexampleextension": "x", "sequence": 7, "data": said["data"] | {"later": {"a": [1]}}}
    assert EVENT_ADAPTER.validate_python(said) == EVENT_ADAPTER.validate_json(path.read_bytes())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "missing", ["source", "type", "subject", "data", "reference", "order_id", "amount", "currency"]
)
def test_what_matters_must_be_there(path: Path, missing: str) -> None:
    said = example(path)
    if missing in said:
        del said[missing]
    else:
        del said["data"][missing]
    if missing == "source":
        assert EVENT_ADAPTER.validate_python(said).source  # each type has only one
        return
    with pytest.raises(ValidationError):
        EVENT_ADAPTER.validate_python(said)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
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
def test_nonsense_is_refused(path: Path, field: str, value: object) -> None:
    said = example(path)
    said["data"][field] = value
    with pytest.raises(ValidationError):
        EVENT_ADAPTER.validate_python(said)


@pytest.mark.parametrize(
    "changes", [{"type": "payment.invented"}, {"specversion": "0.3"}, {"time": "2026-11-23T09:15:03"}]
)
def test_another_envelope_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        EVENT_ADAPTER.validate_python(example(EXAMPLES[0]) | changes)


def test_each_side_reads_only_what_it_takes() -> None:
    for path in EXAMPLES:
        for_catalog = path.name.startswith("payment.")
        for events, wanted in (
            (TypeAdapter[Any](PaymentEvent), for_catalog),
            (TypeAdapter[Any](OrderUndeliverable), not for_catalog),
        ):
            try:
                events.validate_json(path.read_bytes())
                read = True
            except ValidationError:
                read = False
            assert read is wanted


def test_every_event_has_a_queue() -> None:
    """Else the relay could never be rid of it: a message that no queue takes is kept."""
    bindings = {*CATALOG_PAYMENTS.bindings, *PAYMENTS_ORDERS.bindings}
    assert {f"{name.partition('.')[0]}.*" for name in TYPES} <= bindings
