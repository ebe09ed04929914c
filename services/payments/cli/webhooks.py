"""The commands `webhooks list`, `webhooks show`, `webhooks reprocess` and `webhooks close`."""

import base64
from typing import Annotated

import typer

from kit.audit.actor import command_actor
from kit.cli.text import printable
from kit.cli.times import check_period
from kit.messaging.inbox import EntryStatus
from services.payments.cli.command import Context, interruptible, run
from services.payments.cli.options import AsJson, Limit, Reason, Since, Until
from services.payments.cli.output import err, out, print_json, print_views, progress, to_text
from services.payments.db import Topic, sessions
from services.payments.errors import WebhookEventNotFound
from services.payments.webhooks import queries
from services.payments.webhooks.queries import MAX_REPROCESSED, REPROCESS_BATCH, Filter
from services.payments.webhooks.schemas import WebhookEventDetail, WebhookEventView

cli = typer.Typer(help="List, show, reprocess and close the webhook events that Paystack sent.", no_args_is_help=True)
Status = Annotated[
    EntryStatus | None,
    typer.Option(
        "--status", help="Only events with this status. `failed`: out of automatic attempts, needs an operator."
    ),
]
EventName = Annotated[
    str | None, typer.Option("--event", metavar="NAME", help="Only events of this type, such as charge.success.")
]
ReferenceOption = Annotated[
    str | None, typer.Option("--reference", help="Only events about the payment with this reference.")
]
MAX_ID = 2**63 - 1
COLUMNS = ("id", "received_at", "event", "reference", "status", "outcome", "attempts", "error")


@cli.command(name="list")
def list_webhook_events(
    status: Status = None,
    event: EventName = None,
    reference: ReferenceOption = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List webhook events, newest first. --from and --to select by the time of receipt."""
    check_period(since, until)
    filters = Filter(status=status, event=event, reference=reference, since=since, until=until)

    async def work(context: Context) -> list[WebhookEventView]:
        async with sessions() as session:
            return [WebhookEventView.model_validate(row) for row in await queries.list_page(session, filters, limit)]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No webhook events match.")


@cli.command()
def show(
    webhook_event_id: Annotated[int, typer.Argument(min=1, max=MAX_ID, help="Id of the webhook event.")],
    as_json: AsJson = False,
) -> None:
    """Show a webhook event with the headers and the body that Paystack sent. Exit code 1: there is no such event."""

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


@cli.command()
def reprocess(
    ids: Annotated[list[int] | None, typer.Argument(min=1, max=MAX_ID, help="Ids of webhook events.")] = None,
    status: Status = None,
    event: EventName = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Reprocess the webhook events that match all given ids and options. Idempotent: no effect happens twice.

    Exit code 1: the command was interrupted, and some of the events were not reprocessed.
    """
    if not ids and status is None and event is None and since is None and until is None:
        raise typer.BadParameter("select webhook events: by ids, --status, --event, --from or --to")
    check_period(since, until)
    filters = Filter(ids=ids or None, status=status, event=event, since=since, until=until)

    async def work(context: Context) -> tuple[int, bool]:
        total, last_id = 0, None
        with progress(shown=not as_json) as bar:
            task = bar.add_task("reprocessing", total=None)
            async with interruptible() as shutdown:
                while not shutdown.requested:
                    count, last_id = await queries.reprocess(
                        sessions, filters, command_actor(), last_id or 0, min(REPROCESS_BATCH, MAX_REPROCESSED)
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


@cli.command()
def close(
    ids: Annotated[list[int], typer.Argument(min=1, max=MAX_ID, help="Ids of failed webhook events.")],
    reason: Reason,
) -> None:
    """Close failed webhook events that can never be processed, after you have dealt with what they report.

    For example, a second charge of one payment that you have refunded on Paystack's dashboard. Exit code 1: one of the events does not
    exist or has not failed; then none is changed.
    """

    async def work(context: Context) -> None:
        async with sessions.begin() as session:
            await queries.close(session, ids, command_actor(), reason)

    run(work)
    err.print(f"{len(set(ids))} webhook events closed.")
