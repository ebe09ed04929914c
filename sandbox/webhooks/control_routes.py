"""Control routes of the webhooks: send any webhook, and show the queue."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field, field_validator

from sandbox.controls import Delay, Deliveries, StrictModel
from sandbox.enums import WebhookSignature, WebhookState
from sandbox.errors import NoWebhookUrl
from sandbox.responses import ApiResponse, compact_json, success
from sandbox.state import CurrentState
from sandbox.webhooks import queue

router = APIRouter(prefix="/sandbox", tags=["Sandbox controls"])


class WebhookRequest(StrictModel):
    event: str = Field(pattern=r"^[!-~]{1,100}$")
    data: dict[str, Any] | list[Any]
    signature: WebhookSignature = Field(WebhookSignature.VALID, strict=False)
    deliveries: Deliveries = 1
    delay_ms: Delay = 0

    @field_validator("data")
    @classmethod
    def _check_json(cls, value: Any) -> Any:
        try:
            compact_json(value)
        except RecursionError as error:
            raise ValueError("is nested too deeply") from error
        return value


@router.post("/webhooks")
async def send_webhook(webhook: WebhookRequest, state: CurrentState) -> ApiResponse:
    """Send any event through the webhook queue, which retries failed deliveries. Returns the id of each delivery."""
    if state.settings.webhook_url is None:
        raise NoWebhookUrl
    body = compact_json({"event": webhook.event, "data": webhook.data})
    key = state.settings.key
    signatures = {
        WebhookSignature.VALID: queue.sign(key, body),
        WebhookSignature.WRONG: queue.sign(b"not " + key, body),
        WebhookSignature.NONE: None,
    }
    reference, row_id = _subject(webhook.data)
    outgoing = queue.OutgoingWebhook(webhook.event, reference, row_id, body, signatures[webhook.signature])
    ids = await state.store.run(
        lambda connection: queue.enqueue(connection, outgoing, webhook.deliveries, webhook.delay_ms)
    )
    state.sender.notify()
    return success("Webhook queued", {"ids": ids})


def _subject(data: Any) -> tuple[str | None, int | None]:
    """Return the reference and the numeric id in the data of an event; None for one that is missing or invalid."""
    if not isinstance(data, dict):
        return None, None
    reference, row_id = data.get("reference"), data.get("id")
    return (
        reference if isinstance(reference, str) and reference.isascii() else None,
        row_id if isinstance(row_id, int) and 0 <= row_id < 2**63 else None,
    )


@router.get("/webhooks")
async def list_webhooks(sandbox: CurrentState, state: Annotated[WebhookState | None, Query()] = None) -> ApiResponse:
    """Return the number of webhooks in each state, and the latest 50 webhooks. `state` restricts the list, not the numbers."""
    counts, latest = await sandbox.store.run(
        lambda connection: (queue.count_by_state(connection), queue.list_latest(connection, state))
    )
    return success("Webhooks retrieved", counts | {"webhooks": latest})
