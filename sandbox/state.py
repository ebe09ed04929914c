"""The objects that one sandbox process works with, created in `create_app` and passed to the routes."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sandbox.disputes.lifecycle import DisputeLifecycle
from sandbox.faults.injector import FaultInjector
from sandbox.pending_charges.lifecycle import PendingChargeLifecycle
from sandbox.refunds.lifecycle import RefundLifecycle
from sandbox.scheduler import Scheduler
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.webhooks.dispatcher import WebhookDispatcher
from sandbox.webhooks.sender import WebhookSender


@dataclass(frozen=True, slots=True)
class State:
    settings: Settings
    store: Store
    fault_injector: FaultInjector
    dispatcher: WebhookDispatcher
    sender: WebhookSender
    scheduler: Scheduler
    refunds: RefundLifecycle
    disputes: DisputeLifecycle
    pending_charges: PendingChargeLifecycle

    def notify(self) -> None:
        """Wake the background tasks after a change that may need a webhook or a timed step."""
        self.sender.notify()
        self.scheduler.notify()


def state_of(request: Request) -> State:
    state: State = request.app.state.sandbox
    return state


async def _current_state(request: Request) -> State:
    return state_of(request)  # async, because FastAPI runs plain functions in a thread


CurrentState = Annotated[State, Depends(_current_state)]
