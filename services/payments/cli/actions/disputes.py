"""What the commands of `disputes` do."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import BaseModel, ValidationError
from sqlalchemy import select

from contracts.money import format_money
from kit.audit.actor import command_actor
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.output import print_fields, print_json, print_result, print_views
from services.payments.clients import problem_from_paystack
from services.payments.db import Topic, sessions
from services.payments.disputes import responses
from services.payments.disputes.schemas import DisputeView, Evidence, RequestUpload, ResolveDispute
from services.payments.errors import DisputeNotFound, DisputeRefused
from services.payments.models import Dispute
from services.payments.paystack.errors import PaystackError
from services.payments.paystack.uploads import put_file

MAX_FILE_BYTES = 20 * 1024 * 1024
COLUMNS = ("id", "due_at", "status", "disputed_amount", "reference", "category")
M = TypeVar("M", bound=BaseModel)


class DisputeOnTerminal(DisputeView):
    """A dispute with its amount as people read it."""

    @property
    def disputed_amount(self) -> str:
        """The disputed amount."""
        return "-" if self.amount is None else format_money(self.amount, self.currency or "")


def list_disputes(*, state: str, limit: int, as_json: bool) -> None:
    """Print the open disputes, the most urgent first, or those that are over, the latest first."""
    query = select(Dispute).limit(limit)
    if state == "open":
        query = query.where(Dispute.lost.is_(None)).order_by(Dispute.due_at, Dispute.id)
    else:
        query = query.where(Dispute.lost.is_not(None)).order_by(Dispute.due_at.desc(), Dispute.id.desc())

    async def work(context: Context) -> list[DisputeOnTerminal]:
        async with sessions() as session:
            return [DisputeOnTerminal.model_validate(dispute) for dispute in (await session.execute(query)).scalars()]

    columns = (*COLUMNS, "resolution") if state == "over" else COLUMNS
    print_views(run(work), columns, as_json=as_json, if_empty=f"No disputes are {state}.")


def show(dispute_id: int, *, as_json: bool) -> None:
    """Print a dispute with our response."""

    async def work(context: Context) -> DisputeOnTerminal:
        async with sessions() as session:
            dispute = (await session.execute(select(Dispute).where(Dispute.id == dispute_id))).scalar_one_or_none()
        if dispute is None:
            raise DisputeNotFound
        return DisputeOnTerminal.model_validate(dispute)

    view = run(work)
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    fields: dict[str, object] = dict(view)
    fields.pop("evidence")
    evidence = view.evidence or {}
    fields.pop("currency")
    fields["amount"] = view.disputed_amount
    print_fields({**fields, **{f"evidence: {name}": value for name, value in evidence.items()}})


def respond(
    dispute_id: int, file: Path, resolution: Mapping[str, object], evidence: Mapping[str, object], *, as_json: bool
) -> None:
    """Upload the file, send the evidence if there is any, and accept or decline the dispute."""
    upload_request = _validate(RequestUpload, {"filename": file.name})
    # Validated before anything is sent. The name of the uploaded file is not known yet.
    request = _validate(ResolveDispute, {**resolution, "uploaded_filename": "not-uploaded-yet"})
    checked_evidence = _validate(Evidence, evidence) if evidence else None
    if file.stat().st_size > MAX_FILE_BYTES:
        raise typer.BadParameter(f"the file is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
    content = file.read_bytes()

    async def work(context: Context) -> DisputeView:
        paystack = context.clients.paystack
        upload = await responses.create_upload_url(sessions, paystack, dispute_id, upload_request.filename)
        try:
            await put_file(upload.url, content)
        except PaystackError as error:
            raise problem_from_paystack(error, DisputeRefused) from error
        if checked_evidence is not None:
            await responses.add_evidence(sessions, paystack, dispute_id, checked_evidence, command_actor())
        response = request.model_copy(update={"uploaded_filename": upload.filename})
        dispute = await responses.resolve_dispute(sessions, paystack, dispute_id, response, command_actor())
        context.notifier.notify(Topic.DISPUTES, Topic.REFUNDS, Topic.OUTBOX)
        return DisputeView.model_validate(dispute)

    view = run(work)
    print_result(view, f"Response sent. Dispute {dispute_id} is {view.status}.", as_json=as_json)


def _validate(model: type[M], values: Mapping[str, object]) -> M:
    """Check values by the rules of the HTTP API. Raises BadParameter, which names the first wrong option."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{str(first['loc'][0]).replace('_', '-')}" if first["loc"] else None
        raise typer.BadParameter(first["msg"], param_hint=option) from error
