"""`make asyncapi`: write docs/asyncapi.yaml from the events and the topology in contracts/."""

from collections.abc import Sequence
from typing import Any, get_args

import yaml
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from contracts.events import CONTENT_TYPE, AccountEvent, Event, OrderUndeliverable, PaymentEvent
from contracts.topology import CONSUMED, EXCHANGE, Queue
from dev import PROJECT

FILE = PROJECT / "docs" / "asyncapi.yaml"
HEAD = "# Generated from contracts/ by `make asyncapi`; do not edit.\n"
PUBLISHED: dict[str, tuple[type[Event], ...]] = {
    "payments": get_args(PaymentEvent),
    "catalog": (OrderUndeliverable,),
    "auth": get_args(AccountEvent),
}
"""The events that each service publishes."""

QUEUES = [(service, queue) for service, queues in CONSUMED.items() for queue in queues]
"""The consumers and their queues."""

DESCRIPTION = f"""The events that the services publish. Every event is a CloudEvents 1.0 envelope in structured JSON,
published to the durable topic exchange `{EXCHANGE}` with its `type` as the routing key.

Delivery is at least once and in any order: a repeated event has the same `id`, and events of one order or one account
have the same `subject` (its id). Events evolve by addition: ignore fields that you do not know."""

Json = dict[str, Any]


class UntitledSchemas(GenerateJsonSchema):
    """Generates schemas without field titles, which would only repeat the field names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class ReadableDumper(yaml.SafeDumper):
    """Writes multi-line strings as blocks, and repeated objects in full instead of as aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


ReadableDumper.add_representer(str, _string)


def document() -> Json:
    """Return the AsyncAPI 3.0 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0)."""
    events = [event for published in PUBLISHED.values() for event in published]
    sends = {
        f"{service}.sends.{event_type(event)}": _send_operation(event)
        for service, published in PUBLISHED.items()
        for event in published
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of the shop",
            "version": "1.0.0",
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
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
        "channels": {event_type(event): _event_channel(event) for event in events}
        | {queue.name: _queue_channel(queue, events) for _, queue in QUEUES},
        "operations": sends
        | {f"{queue.name}.receives": _receive_operation(service, queue) for service, queue in QUEUES},
        "components": {
            "messages": {event.__name__: _message(event) for event in events},
            "schemas": _schemas(events),
        },
    }


def event_type(event: type[Event]) -> str:
    """Return the `type` of an event, which is its routing key."""
    return str(event.model_fields["type"].default)


def _ref(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(path)}


def _event_channel(event: type[Event]) -> Json:
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": event_type(event),
        "messages": {event.__name__: _ref("components", "messages", event.__name__)},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}},
    }


def _queue_channel(queue: Queue, events: Sequence[type[Event]]) -> Json:
    received = [event for event in events if any(_matches(binding, event_type(event)) for binding in queue.bindings)]
    declared = {"name": queue.name, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": queue.name,
        "description": f"A quorum queue bound to {', '.join(queue.bindings)}; its dead-letter queue is {queue.dead_letters}.",
        "messages": {event.__name__: _ref("components", "messages", event.__name__) for event in received},
        "bindings": {"amqp": {"is": "queue", "queue": declared, "bindingVersion": "0.3.0"}},
    }


def _matches(binding: str, key: str) -> bool:
    """Return True if a topic binding matches a routing key: `*` matches one word."""
    words, patterns = key.split("."), binding.split(".")
    if len(words) != len(patterns):
        return False
    return all(pattern in {"*", word} for pattern, word in zip(patterns, words, strict=True))


def _message(event: type[Event]) -> Json:
    return {
        "name": event_type(event),
        "contentType": CONTENT_TYPE,
        "summary": (event.__doc__ or "").strip(),
        "payload": _ref("components", "schemas", event.__name__),
    }


def _send_operation(event: type[Event]) -> Json:
    return {
        "action": "send",
        "channel": _ref("channels", event_type(event)),
        "messages": [_ref("channels", event_type(event), "messages", event.__name__)],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": "0.3.0"}},
    }


def _receive_operation(service: str, queue: Queue) -> Json:
    return {
        "action": "receive",
        "summary": f"{service} stores each event in its inbox once, and acknowledges it after the commit.",
        "channel": _ref("channels", queue.name),
        "bindings": {"amqp": {"ack": True, "bindingVersion": "0.3.0"}},
    }


def _schemas(events: Sequence[type[Event]]) -> Json:
    _, generated = models_json_schema(
        [(event, "serialization") for event in events],
        ref_template="#/components/schemas/{model}",
        schema_generator=UntitledSchemas,
    )
    schemas: Json = generated["$defs"]
    for event in events:
        # Fields without a value are omitted from the JSON; all others are always present.
        fields = event.model_fields.items()
        schemas[event.__name__]["required"] = [
            name for name, field in fields if field.is_required() or field.get_default(call_default_factory=True)
        ]
    return schemas


def text() -> str:
    """Return the content of docs/asyncapi.yaml."""
    return HEAD + yaml.dump(document(), Dumper=ReadableDumper, sort_keys=False, allow_unicode=True, width=120)


def main() -> None:
    """Write docs/asyncapi.yaml."""
    FILE.write_text(text())
    print("wrote docs/asyncapi.yaml")


if __name__ == "__main__":
    main()
