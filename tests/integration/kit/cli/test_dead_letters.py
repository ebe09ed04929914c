"""The commands `dead-letters` on a real broker."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest
import structlog
from pydantic import SecretStr, TypeAdapter
from sqlalchemy import NullPool, func, select
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner, Result

from contracts.events import PaymentSucceeded
from dev.servers.postgres import Postgres
from kit.cli import dead_letter_actions
from kit.cli.dead_letter_view import MAX_SHOWN_BYTES
from kit.cli.dead_letters import dead_letters_cli
from kit.database_url import async_url
from kit.db.engine import create_sessionmaker
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from tests.fixtures.kit_messaging import Broker, Sessions, make_event
from tests.fixtures.kit_tables import Audit, Effect, Inbox
from tests.fixtures.loops import living, until

EVENTS: TypeAdapter[PaymentSucceeded] = TypeAdapter(PaymentSucceeded)


def unreadable(**changes: Any) -> bytes:
    """Return an event of NGN 1,234.50 with the reference pay-123450 and an unknown version, with `changes`."""
    return json.dumps({**make_event(123_450).model_dump(mode="json"), "specversion": "9.0", **changes}).encode()


@pytest.fixture(autouse=True)
def logging_of_tests() -> Iterator[None]:
    """Restore the configuration of logging, which a command changes."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**config)


@pytest.fixture(autouse=True)
async def service(
    postgres: Postgres, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, ModuleType]]:
    """A service with the package `kit_service`, whose database has the tables of these tests. Return its modules."""
    url = async_url(SecretStr(postgres.owner_url("kit")))
    engine = create_async_engine(url, poolclass=NullPool)  # a command has an event loop of its own
    modules = {"db": ModuleType("db"), "models": ModuleType("models")}
    vars(modules["db"]).update(engine=engine, sessions=create_sessionmaker(engine))
    vars(modules["models"]).update(AuditLogEntry=Audit)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"kit_service.{name}", module)
    yield modules
    await engine.dispose()


async def acts(sessions: Sessions) -> list[Audit]:
    """Return the audit log, oldest first."""
    async with sessions() as session:
        return list((await session.execute(select(Audit).order_by(Audit.id))).scalars())


async def run(broker: Broker, *arguments: str) -> Result:
    """Run a command in another thread, where it can have an event loop of its own."""
    cli = dead_letters_cli("kit_service", broker.queue, f"{__name__}:EVENTS", "orders")
    return await asyncio.to_thread(lambda: CliRunner().invoke(cli, list(arguments)))


async def dead_letters(broker: Broker, *bodies: bytes) -> list[dict[str, Any]]:
    """Make dead letters of these bodies, and return what `list --json` shows."""
    await broker.publish(*bodies)
    for message in [await (await broker.channel.get_queue(broker.queue.name)).get() for _ in bodies]:
        await message.reject(requeue=False)

    async def dead() -> bool:
        return await broker.ready_messages(broker.queue.dead_letters) == len(bodies)

    await until(dead)
    result = await run(broker, "list", "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


async def test_list_when_there_are_dead_letters_shows_money_and_the_problem_and_keeps_them(broker: Broker) -> None:
    (found,) = await dead_letters(broker, unreadable())
    assert (found["reason"], found["reference"], found["amount"]) == ("rejected", "pay-123450", 123_450)
    assert found["problems"] == ["specversion: Input should be '1.0'"]
    for _ in range(3):
        result = await run(broker, "list")
        assert result.exit_code == 0
        assert f"{found['id']}  {found['died_at']}  rejected" in result.stdout
        assert "NGN 1,234.50" in result.stdout
        assert f"order {found['order_id']}" in result.stdout
        assert "problem: specversion" in result.stdout
        assert max(map(len, result.stdout.splitlines())) <= 100
    assert await broker.ready_messages(broker.queue.dead_letters) == 1


async def test_list_when_there_are_more_than_the_limit_says_how_many(broker: Broker) -> None:
    await dead_letters(broker, *(str(number).encode() for number in range(12)))
    result = await run(broker, "list", "--limit", "5")
    assert len([line for line in result.stdout.splitlines() if "rejected" in line]) == 5
    assert "5 of 12 dead letters are shown." in result.stdout


async def test_list_when_a_text_could_manipulate_the_terminal_replaces_its_characters(broker: Broker) -> None:
    data = {"reference": "\x1b[2J\ud800\x00x", "amount": 10**30, "currency": "N\x1b"}
    await dead_letters(broker, unreadable(data=data), b"\x1b[2J\xff", b"[" * 100_000, b'{"data": 7}', b"9" * 5000)
    for arguments in (["list"], ["list", "--json"]):
        result = await run(broker, *arguments)
        assert result.exit_code == 0, result.output
        assert result.stdout.replace("\n", "").isprintable()


async def test_show_when_the_id_is_known_prints_a_bounded_body(broker: Broker) -> None:
    long = b'{"a": "' + b"x" * 1_000_000 + b'"}'
    first, second = await dead_letters(broker, unreadable(), long)
    shown = json.loads((await run(broker, "show", first["id"], "--json")).stdout)
    assert json.loads(shown.pop("body"))["data"]["reference"] == "pay-123450"
    assert shown == first
    result = await run(broker, "show", second["id"])
    assert len(result.stdout) < MAX_SHOWN_BYTES + 1000
    assert "more bytes)" in result.stdout
    missing = await run(broker, "show", "0" * 12)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "there is no dead letter 000000000000" in missing.stderr


async def test_put_back_when_ids_are_given_moves_only_these(broker: Broker, sessions: Sessions) -> None:
    found = await dead_letters(broker, *(str(number).encode() for number in range(4)))
    result = await run(broker, "put-back", found[1]["id"], found[2]["id"], "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"dead_letters": 2})
    again = await broker.take(2)
    assert [message.body for message in again] == [b"1", b"2"]
    assert all("x-death" not in message.headers for message in again)
    assert await broker.ready_messages(broker.queue.dead_letters) == 2
    (act,) = await acts(sessions)
    assert (act.act, act.subject, act.reason) == ("dead_letters.put_back", broker.queue.name, None)
    assert act.actor.startswith("operator:")
    assert act.before == {"dead_letters": [found[1], found[2]]}
    missing = await run(broker, "put-back", found[0]["id"], "0" * 12, "--reason", "after the new version")
    assert missing.exit_code == 1
    assert "not found: 000000000000" in missing.stderr
    assert [message.body for message in await broker.take(1)] == [b"0"]
    assert (await acts(sessions))[-1].reason == "after the new version"


async def test_put_back_of_many_records_each_batch(
    broker: Broker, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_actions, "BATCH", 2)
    found = await dead_letters(broker, *(str(number).encode() for number in range(5)))
    assert (await run(broker, "put-back", "--all")).exit_code == 0
    recorded = [(act.before or {})["dead_letters"] for act in await acts(sessions)]
    assert recorded == [found[:2], found[2:4], found[4:]]


async def test_put_back_when_the_database_cannot_be_used_changes_nothing(
    broker: Broker, service: dict[str, ModuleType]
) -> None:
    """An act of an operator that cannot be recorded is not done."""
    await dead_letters(broker, b"0")
    nowhere = create_async_engine("postgresql+asyncpg://x:y@127.0.0.1:9/z", poolclass=NullPool)
    vars(service["db"]).update(engine=nowhere, sessions=create_sessionmaker(nowhere))
    result = await run(broker, "put-back", "--all")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the database cannot be used")
    assert await broker.ready_messages(broker.queue.dead_letters) == 1
    assert await broker.ready_messages() == 0


async def test_close_deletes_a_dead_letter_with_a_reason(broker: Broker, sessions: Sessions) -> None:
    found = await dead_letters(broker, unreadable(), b"1")
    assert (await run(broker, "close", found[0]["id"])).exit_code == 2  # a reason is needed
    missing = await run(broker, "close", "0" * 12, "--reason", "x")
    assert (missing.exit_code, await acts(sessions)) == (1, [])
    result = await run(broker, "close", found[0]["id"], "--reason", "refunded by hand")
    assert result.exit_code == 0
    assert "1 dead letters deleted." in result.stderr
    assert await broker.ready_messages() == 0
    assert json.loads((await run(broker, "list", "--json")).stdout) == [found[1]]
    (act,) = await acts(sessions)
    assert (act.act, act.before, act.reason) == (
        "dead_letters.closed",
        {"dead_letters": [found[0]]},
        "refunded by hand",
    )


@pytest.mark.parametrize("arguments", [["put-back"], ["put-back", "0" * 12, "--all"], ["list", "--limit", "0"]])
async def test_command_when_its_arguments_contradict_is_refused(broker: Broker, arguments: list[str]) -> None:
    assert (await run(broker, *arguments)).exit_code == 2


async def test_put_back_when_events_can_be_read_again_gives_each_its_effect_once(
    sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    readable = [make_event(number).model_dump_json().encode() for number in range(3)]

    async def handle(session: Any, events: Any) -> dict[Any, str]:
        session.add_all(Effect(of=event.data.reference) for event in events)
        return {}

    async def effects() -> int:
        async with sessions() as session:
            return (await session.execute(select(func.count()).select_from(Effect))).scalar_one()

    found = await dead_letters(broker, *readable, readable[0], unreadable())
    assert [bool(each["problems"]) for each in found] == [False, False, False, False, True]
    consumer = Consumer(sessions, Inbox, broker.url, broker.queue, EVENTS, handle, notifier)
    async with living(consumer.run):
        result = await run(broker, "put-back", "--all")
        assert result.exit_code == 0, result.output
        assert "5 dead letters are in" in result.stderr

        async def finished() -> bool:
            left = await broker.ready_messages(), await broker.ready_messages(broker.queue.dead_letters)
            return await effects() == 3 and left == (0, 1)

        await until(finished)


async def test_command_when_the_broker_cannot_be_used_prints_one_sentence(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await broker.channel.queue_delete(broker.queue.dead_letters)
    missing = await run(broker, "list")
    assert missing.exit_code == 1
    assert f"the queue {broker.queue.dead_letters} does not exist" in missing.stderr
    monkeypatch.setenv("AMQP_URL", "amqp://nobody:long-password@127.0.0.1:1/")
    result = await run(broker, "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the broker cannot be used: ")
    assert "long-password" not in result.output
    assert len(result.stderr.splitlines()) == 1
    monkeypatch.delenv("AMQP_URL")
    assert "AMQP_URL: Field required" in str((await run(broker, "list")).exception)
