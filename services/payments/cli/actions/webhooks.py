"""What the commands of `webhooks` do."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from kit.audit.actor import command_actor
from kit.cli.text import printable
from services.payments.cli.actions.command import Context, interruptible, run
from services.payments.cli.actions.output import err, out, print_json, print_views, progress, to_text
from services.payments.db import Topic, sessions
from services.payments.errors import WebhookEventNotFound
from services.payments.webhooks import queries
from services.payments.webhooks.queries import MAX_REPROCESSED, REPROCESS_BATCH, Filter
from services.payments.webhooks.schemas import WebhookEventDetail, WebhookEventView

COLUMNS = ("id", "received_at", "event", "reference", "status", "outcome", "attempts", "error")


def list_webhook_events(filters: Mapping[str, Any], *, limit: int, as_json: bool) -> None:
    """Print the webhook events that match the filters, newest first."""

    async def work(context: Context) -> list[WebhookEventView]:
        async with sessions() as session:
            return [
                WebhookEventView.model_validate(row)
                for row in await queries.list_page(session, Filter(**filters), limit)
            ]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No webhook events match.")


def show(webhook_event_id: int, *, as_json: bool) -> None:
    """Print a webhook event with its headers and its body."""

    async def work(context: Context) -> WebhookEventDetail:
        async with sessions() as session:
            row = await queries.find(session, webhook_event_id)
        if row is None:
            raise WebhookEventNotFound
        return WebhookEventDetail.of(row)

    view = run(work)
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    for name in WebhookEventView.model_fields:
        out.print(f"[bold]{name:>15}[/]  {to_text(getattr(view, name))}")
    for name, value in view.headers.items():
        out.print(f"[dim]{to_text(name):>15}[/]  {to_text(value)}")
    body = view.body if view.body_encoding == "utf-8" else repr(base64.b64decode(view.body))
    typer.echo(f"\n{printable(body)}")  # not with rich, which would wrap it: it can be copied


def reprocess(filters: Mapping[str, Any], *, as_json: bool) -> None:
    """Reprocess the webhook events that match the filters, and print their number. Exit with code 1 if interrupted."""
    selected = Filter(**filters)

    async def work(context: Context) -> tuple[int, bool]:
        total, last_id = 0, None
        with progress(shown=not as_json) as bar:
            task = bar.add_task("reprocessing", total=None)
            async with interruptible() as shutdown:
                while not shutdown.requested:
                    count, last_id = await queries.reprocess(
                        sessions, selected, command_actor(), last_id or 0, min(REPROCESS_BATCH, MAX_REPROCESSED)
                    )
                    total += count
                    bar.update(task, completed=total)
                    context.notifier.notify(Topic.WEBHOOK_EVENTS)
                    if last_id is None:
                        break
        return total, shutdown.requested and last_id is not None

    count, interrupted = run(work)
    if as_json:
        print_json({"count": count, "by": command_actor().id, "interrupted": interrupted})
    else:
        err.print(f"{count} webhook events are pending again. The worker processes them.")
    if interrupted:
        err.print("Interrupted. Repeat the command for the other events.", style="red")
        raise typer.Exit(1)


def close(ids: Sequence[int], reason: str, *, as_json: bool) -> None:
    """Close failed webhook events, and print their number."""

    async def work(context: Context) -> None:
        async with sessions.begin() as session:
            await queries.close(session, list(ids), command_actor(), reason)

    run(work)
    count = len(set(ids))
    if as_json:
        print_json({"count": count, "by": command_actor().id})
    else:
        err.print(f"{count} webhook events closed.")
