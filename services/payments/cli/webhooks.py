"""notices list | show | replay"""

import base64
from typing import Annotated

import typer

from kit.cli.times import check_period
from kit.messaging.inbox import EntryStatus
from services.payments.cli.output import (
    AsJson,
    AtMost,
    Context,
    Since,
    Until,
    err,
    interruptible,
    operator,
    out,
    print_json,
    print_views,
    printable,
    progress,
    run,
    words,
)
from services.payments.db import Topic, sessions
from services.payments.errors import WebhookEventNotFound
from services.payments.webhooks import queries
from services.payments.webhooks.queries import MAX_REPROCESSED, REPROCESS_BATCH, Filter
from services.payments.webhooks.schemas import WebhookEventDetail, WebhookEventView

cli = typer.Typer(help="What Paystack sent.", no_args_is_help=True)
OfState = Annotated[EntryStatus | None, typer.Option("--status", help="pending, done, or failed: waits for a person.")]
OfEvent = Annotated[str | None, typer.Option("--event", metavar="NAME", help="Of this kind, such as charge.success.")]
COLUMNS = ("id", "received_at", "event", "reference", "status", "outcome", "attempts", "error")


@cli.command(name="list")
def list_notices(
    status: OfState = None,
    event: OfEvent = None,
    reference: Annotated[str | None, typer.Option("--reference", help="About this payment.")] = None,
    since: Since = None,
    until: Until = None,
    limit: AtMost = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    check_period(since, until)
    wanted = Filter(status=status, event=event, reference=reference, since=since, until=until)

    async def work(context: Context) -> list[WebhookEventView]:
        async with sessions() as session:
            return [WebhookEventView.model_validate(row) for row in await queries.list_page(session, wanted, limit)]

    print_views(run(work), COLUMNS, as_json=as_json, nothing="no such notices")


@cli.command()
def show(notice_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1)], as_json: AsJson = False) -> None:
    """One notice as it came: headers and body."""

    async def work(context: Context) -> WebhookEventDetail:
        async with sessions() as session:
            found = await queries.find(session, notice_id)
        if found is None:
            raise WebhookEventNotFound
        return WebhookEventDetail.of(found)

    notice = run(work)
    if as_json:
        print_json(notice.model_dump(mode="json"))
        return
    for name in WebhookEventView.model_fields:
        out.print(f"[bold]{name:>15}[/]  {words(getattr(notice, name))}")
    for name, value in notice.headers.items():
        out.print(f"[dim]{words(name):>15}[/]  {words(value)}")
    text = notice.body if notice.body_encoding == "utf-8" else repr(base64.b64decode(notice.body))
    typer.echo(f"\n{printable(text)}")  # unbroken, to be copied


@cli.command()
def replay(
    ids: Annotated[list[int] | None, typer.Argument(min=1, max=2**63 - 1, help="Notices by id.")] = None,
    status: OfState = None,
    event: OfEvent = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Give notices their effect once more. What they have brought about is not brought about again."""
    if not ids and status is None and event is None and since is None and until is None:
        raise typer.BadParameter("say which: ids, --status, --event, --from or --to")
    check_period(since, until)
    wanted = Filter(ids=ids or None, status=status, event=event, since=since, until=until)

    async def work(context: Context) -> int:
        total, after = 0, None
        with progress(shown=not as_json) as bar:
            task = bar.add_task("replaying", total=None)
            async with interruptible() as shutdown:
                while not shutdown.requested:
                    count, after = await queries.reprocess(
                        sessions, wanted, after or 0, min(REPROCESS_BATCH, MAX_REPROCESSED)
                    )
                    total += count
                    bar.update(task, completed=total)
                    context.notifier.notify(Topic.WEBHOOK_EVENTS)
                    if after is None:
                        break
        return total

    count = run(work)
    if as_json:
        print_json({"count": count, "by": operator().id})
    else:
        err.print(f"{count} notices are pending again; the worker settles them")
