"""`webhooks list`, `show`, `reprocess` and `close`: operators look at webhook events, reprocess and close them."""

import httpx

from tests.factories.payments import create_payment
from tests.fakes.paystack import charge_success
from tests.fixtures.payments_cli import OPERATOR, CommandLine
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import webhook_events

WEBHOOKS, REPROCESS = "webhooks", "reprocess"


async def test_list_filters_events(client: httpx.AsyncClient, command: CommandLine) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference), b'{"event":"moon.[red]landed\\u001b[31m","data":{}}')
    paid, moon = await webhook_events()

    async def listed(*options: str) -> list[int]:
        return [each["id"] for each in (await command.run(WEBHOOKS, "list", *options, "--json")).json]

    assert await listed() == [moon.id, paid.id]
    assert await listed("--event", "charge.success") == [paid.id]
    assert await listed("--to", "1h") == []
    assert len(await listed("--from", "1h", "--reference", one.reference)) == 1
    table = (await command.run(WEBHOOKS, "list")).out
    assert one.reference in table
    assert "moon.[red]landed" in table
    assert "\x1b" not in table


async def test_show_prints_headers_and_body_without_control_characters(
    client: httpx.AsyncClient, command: CommandLine
) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference), b'{"event":"moon.[red]landed","data":"\x1b[31m"}')
    paid, moon = await webhook_events()
    shown = await command.run(WEBHOOKS, "show", str(moon.id))
    assert "x-paystack-signature" in shown.out
    assert "\x1b[31m" not in shown.out
    assert (await command.run(WEBHOOKS, "show", str(paid.id), "--json")).json["body"] == paid.body.decode()
    nobody = await command.run(WEBHOOKS, "show", "999999999")
    assert (nobody.code, nobody.out) == (1, "")
    assert "There is no webhook event with this id" in nobody.err


async def test_reprocess_makes_the_chosen_events_pending(client: httpx.AsyncClient, command: CommandLine) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference), {"event": "moon.landed", "data": {}})
    ids = [str(event.id) for event in await webhook_events()]
    assert (await command.run(WEBHOOKS, REPROCESS, *ids, "--json")).json == {
        "count": 2,
        "by": OPERATOR,
        "interrupted": False,
    }
    assert {event.status for event in await webhook_events()} == {"pending"}
    await process_webhook_events()
    again = await command.run(WEBHOOKS, REPROCESS, "--event", "moon.landed")
    assert "1 webhook events are pending again" in again.err
    assert (await command.run(WEBHOOKS, REPROCESS)).code == 2
    turned = await command.run(WEBHOOKS, REPROCESS, "--from", "1h", "--to", "2h")
    assert turned.code == 2
    assert "ends before it begins" in turned.err
    assert (await command.run(WEBHOOKS, REPROCESS, "--from", "yesterday")).code == 2


async def test_close_ends_failed_events_with_a_reason(client: httpx.AsyncClient, command: CommandLine) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference))
    await deliver(client, charge_success(one.reference, id=4711))
    paid, other = await webhook_events()
    assert (await command.run(WEBHOOKS, "close", str(other.id))).code == 2  # a reason is needed
    refused = await command.run(WEBHOOKS, "close", str(other.id), str(paid.id), "--reason", "x")
    assert (refused.code, refused.err.strip()) == (1, f"There is no failed webhook event with the id {paid.id}.")
    assert [event.status for event in await webhook_events()] == ["processed", "failed"]
    closed = await command.run(WEBHOOKS, "close", str(other.id), "--reason", "refunded on the dashboard")
    assert (closed.code, closed.err.strip()) == (0, "1 webhook events closed.")
    _, event = await webhook_events()
    assert (event.status, event.outcome) == ("processed", f"closed by {OPERATOR}: refunded on the dashboard")
    assert event.error is not None


async def test_close_with_json_prints_the_number_of_events_and_who_closed_them(
    client: httpx.AsyncClient, command: CommandLine
) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference))
    await deliver(client, charge_success(one.reference, id=4711))
    _, failed = await webhook_events()
    closed = await command.run(WEBHOOKS, "close", str(failed.id), "--reason", "x", "--json")
    assert closed.json == {"count": 1, "by": OPERATOR}
