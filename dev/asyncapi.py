"""`python -m dev.asyncapi`: writes docs/asyncapi.yaml anew from the events and the topology in contracts/."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from contracts.events import CONTENT_TYPE, Event, OrderUndeliverable, PaymentEvent
from contracts.topology import CATALOG_PAYMENTS, EXCHANGE, PAYMENTS_ORDERS, Queue

FILE = Path(__file__).parents[1] / "docs" / "asyncapi.yaml"
HEAD = "# Made by `python -m dev.asyncapi` from contracts/; do not edit.\n"
SENT: dict[str, tuple[type[Event], ...]] = {"payments": get_args(PaymentEvent), "catalog": (OrderUndeliverable,)}
"""Who publishes what."""

QUEUES = {"catalog": CATALOG_PAYMENTS, "payments": PAYMENTS_ORDERS}
"""Who takes them from where."""

ABOUT = f"""What the services tell each other. Every event is a CloudEvents 1.0 envelope in structured JSON,
published to the durable topic exchange `{EXCHANGE}` under its `type` as routing key.

Delivery is at least once and order is not promised: an event's `id` tells what came twice, and `subject` (the order's id)
what belongs together. Events evolve by addition: ignore fields that you do not know."""

Json = dict[str, Any]


class Untitled(GenerateJsonSchema):
    """Schemas without a title that only repeats the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class Readable(yaml.SafeDumper):
    """Writes texts of several lines as such, and what is used twice in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Readable.add_representer(str, _text)


def document() -> Json:
    """The AsyncAPI 3.0 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0)."""
    events = [event for sent in SENT.values() for event in sent]
    sends = {f"{service}.sends.{kind(event)}": _sends(event) for service, sent in SENT.items() for event in sent}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Events of the shop", "version": "1.0.0", "description": ABOUT, "license": {"name": "MIT"}},
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ 3.10 or newer",
                "variables": {"host": {"default": "localhost:5672", "description": "As in AMQP_URL"}},
            }
        },
        "channels": {kind(event): _routing_key(event) for event in events}
        | {queue.name: _queue(queue, events) for queue in QUEUES.values()},
        "operations": sends | {f"{service}.receives": _receives(service, queue) for service, queue in QUEUES.items()},
        "components": {
            "messages": {event.__name__: _message(event) for event in events},
            "schemas": _schemas(events),
        },
    }


def kind(event: type[Event]) -> str:
    """An event's `type`, which is its routing key too."""
    found: str = event.model_fields["type"].default
    return found


def _ref(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(path)}


def _routing_key(event: type[Event]) -> Json:
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": kind(event),
        "messages": {event.__name__: _ref("components", "messages", event.__name__)},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}},
    }


def _queue(queue: Queue, events: Sequence[type[Event]]) -> Json:
    taken = [event for event in events if any(_takes(binding, kind(event)) for binding in queue.bindings)]
    declared = {"name": queue.name, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": queue.name,
        "description": f"A quorum queue bound to {', '.join(queue.bindings)}; what cannot be read goes to {queue.dead_letters}.",
        "messages": {event.__name__: _ref("components", "messages", event.__name__) for event in taken},
        "bindings": {"amqp": {"is": "queue", "queue": declared, "bindingVersion": "0.3.0"}},
    }


def _takes(binding: str, key: str) -> bool:
    """Whether a topic binding takes a routing key: `*` is one word."""
    words, wanted = key.split("."), binding.split(".")
    return len(words) == len(wanted) and all(want in {"*", word} for want, word in zip(wanted, words, strict=True))


def _message(event: type[Event]) -> Json:
    return {
        "name": kind(event),
        "contentType": CONTENT_TYPE,
        "summary": (event.__doc__ or "").strip(),
        "payload": _ref("components", "schemas", event.__name__),
    }


def _sends(event: type[Event]) -> Json:
    return {
        "action": "send",
        "channel": _ref("channels", kind(event)),
        "messages": [_ref("channels", kind(event), "messages", event.__name__)],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": "0.3.0"}},
    }


def _receives(service: str, queue: Queue) -> Json:
    return {
        "action": "receive",
        "summary": f"{service} takes each event once, into its inbox, and acknowledges it when that is committed.",
        "channel": _ref("channels", queue.name),
        "bindings": {"amqp": {"ack": True, "bindingVersion": "0.3.0"}},
    }


def _schemas(events: Sequence[type[Event]]) -> Json:
    _, found = models_json_schema(
        [(event, "serialization") for event in events],
        ref_template="#/components/schemas/{model}",
        schema_generator=Untitled,
    )
    schemas: Json = found["$defs"]
    for event in events:
        # What has no value is left out of the JSON; everything else is always there.
        fields = event.model_fields.items()
        schemas[event.__name__]["required"] = [
            name for name, field in fields if field.is_required() or field.get_default(call_default_factory=True)
        ]
    return schemas


def text() -> str:
    """The document as it stands in the file."""
    return HEAD + yaml.dump(document(), Dumper=Readable, sort_keys=False, allow_unicode=True, width=120)


def main() -> None:
    FILE.write_text(text())


if __name__ == "__main__":
    main()
