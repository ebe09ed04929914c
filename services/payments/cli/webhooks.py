"""The commands `webhooks list`, `webhooks show`, `webhooks reprocess` and `webhooks close`."""

from typing import Annotated

import typer

from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, Reason, Since, Until
from kit.cli.times import check_period
from kit.messaging.entry_status import EntryStatus
from services.payments.cli.options import ACTIONS, MAX_ID, Limit

cli = create_cli("List, show, reprocess and close the webhook events that Paystack sent.")
Status = Annotated[
    EntryStatus | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help="Only events with this status: pending, processed, or failed (all automatic attempts were used, or a retry cannot succeed: "
        "reprocess or close them).",
    ),
]
EventName = Annotated[
    str | None, typer.Option("--event", metavar="NAME", help="Only events of this type, such as charge.success.")
]
ReferenceOption = Annotated[
    str | None, typer.Option("--reference", help="Only events about the payment with this reference.")
]


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
    filters = {"status": status, "event": event, "reference": reference, "since": since, "until": until}
    call(f"{ACTIONS}.webhooks:list_webhook_events", filters, limit=limit, as_json=as_json)


@cli.command()
def show(
    webhook_event_id: Annotated[int, typer.Argument(min=1, max=MAX_ID, help="Id of the webhook event.")],
    as_json: AsJson = False,
) -> None:
    """Show a webhook event with the headers and the body that Paystack sent. Exit code 1: there is no such event."""
    call(f"{ACTIONS}.webhooks:show", webhook_event_id, as_json=as_json)


@cli.command()
def reprocess(
    ids: Annotated[list[int] | None, typer.Argument(min=1, max=MAX_ID, help="Ids of webhook events.")] = None,
    status: Status = None,
    event: EventName = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Reprocess the webhook events that have one of the given ids and match all given options. Idempotent.

    Give at least one id or one option.
    Exit code 1: the command was interrupted, and some of the events were not reprocessed.
    """
    if not ids and status is None and event is None and since is None and until is None:
        raise typer.BadParameter("select webhook events: by ids, --status, --event, --from or --to")
    check_period(since, until)
    filters = {"ids": ids or None, "status": status, "event": event, "since": since, "until": until}
    call(f"{ACTIONS}.webhooks:reprocess", filters, as_json=as_json)


@cli.command()
def close(
    ids: Annotated[list[int], typer.Argument(min=1, max=MAX_ID, help="Ids of failed webhook events.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Close failed webhook events that can never be processed, after you have dealt with what they report.

    For example, a second charge of one payment that you have refunded on Paystack's dashboard. Exit code 1: one of the events does not
    exist or has not failed; then none is changed.
    """
    call(f"{ACTIONS}.webhooks:close", ids, reason, as_json=as_json)
