"""notices list | show | replay"""

import base64
from typing import Annotated

import typer

from kit.cli.times import check_period
from services.payments import archive
from services.payments.archive import MOST_REPLAYED, REPLAY_BATCH, Wanted
from services.payments.db import engine, sessions
from services.payments.errors import NoticeNotFound
from services.payments.notice_schemas import NoticeDetail, NoticeView, State
from services.payments.operators.terminal import (
    AsJson,
    AtMost,
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
from services.payments.wakeup import Doorbell

cli = typer.Typer(help="What Paystack sent.", no_args_is_help=True)
OfState = Annotated[State | None, typer.Option("--state", help="pending, done, or failed: waits for a person.")]
OfEvent = Annotated[str | None, typer.Option("--event", metavar="NAME", help="Of this kind, such as charge.success.")]
COLUMNS = ("id", "received_at", "event", "reference", "state", "outcome", "attempts", "error")


@cli.command(name="list")
def list_notices(
    state: OfState = None,
    event: OfEvent = None,
    reference: Annotated[str | None, typer.Option("--reference", help="About this payment.")] = None,
    since: Since = None,
    until: Until = None,
    limit: AtMost = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    check_period(since, until)
    wanted = Wanted(state=state, event=event, reference=reference, since=since, until=until)

    async def work() -> list[NoticeView]:
        async with sessions() as session:
            return [NoticeView.model_validate(row) for row in await archive.page(session, wanted, limit)]

    print_views(run(work), COLUMNS, as_json=as_json, nothing="no such notices")


@cli.command()
def show(notice_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1)], as_json: AsJson = False) -> None:
    """One notice as it came: headers and body."""

    async def work() -> NoticeDetail:
        async with sessions() as session:
            found = await archive.find(session, notice_id)
        if found is None:
            raise NoticeNotFound
        return NoticeDetail.of(found)

    notice = run(work)
    if as_json:
        print_json(notice.model_dump(mode="json"))
        return
    for name in NoticeView.model_fields:
        out.print(f"[bold]{name:>15}[/]  {words(getattr(notice, name))}")
    for name, value in notice.headers.items():
        out.print(f"[dim]{words(name):>15}[/]  {words(value)}")
    text = notice.body if notice.body_encoding == "utf-8" else repr(base64.b64decode(notice.body))
    typer.echo(f"\n{printable(text)}")  # unbroken, to be copied


@cli.command()
def replay(
    ids: Annotated[list[int] | None, typer.Argument(min=1, max=2**63 - 1, help="Notices by id.")] = None,
    state: OfState = None,
    event: OfEvent = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Give notices their effect once more. What they have brought about is not brought about again."""
    if not ids and state is None and event is None and since is None and until is None:
        raise typer.BadParameter("say which: ids, --state, --event, --from or --to")
    check_period(since, until)
    wanted = Wanted(ids=ids or None, state=state, event=event, since=since, until=until)

    async def work() -> int:
        bell = Doorbell(engine, "notices")
        total, after = 0, None
        with progress(shown=not as_json) as bar:
            task = bar.add_task("replaying", total=None)
            async with interruptible() as shutdown:
                while not shutdown.requested:
                    count, after = await archive.replay(sessions, wanted, after or 0, min(REPLAY_BATCH, MOST_REPLAYED))
                    total += count
                    bar.update(task, completed=total)
                    bell.ring()
                    if after is None:
                        break
        await bell.rung()
        return total

    count = run(work)
    if as_json:
        print_json({"count": count, "by": operator().id})
    else:
        err.print(f"{count} notices are pending again; the worker settles them")
