"""The transaction of a request that places an order."""

from collections.abc import AsyncIterator
from typing import Annotated, TypedDict

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from kit.errors import Unavailable, raises
from kit.http.rate_limit import TooManyRequests
from services.catalog.auth import OrderingCaller
from services.catalog.db import sessions
from services.catalog.turns import TurnQueue


class OrderQueueState(TypedDict):
    """The attributes of `request.state` that the dependency below needs."""

    order_queue: TurnQueue


@raises(TooManyRequests, Unavailable)
async def order_transaction(request: Request, caller: OrderingCaller) -> AsyncIterator[AsyncSession]:
    """Wait for a turn, then yield the session of the request's transaction. The turn ends after the commit."""
    queue: TurnQueue = request.state.order_queue
    async with queue.turn(caller.id), sessions.begin() as session:
        yield session


OrderTransaction = Annotated[AsyncSession, Depends(order_transaction, scope="function")]
"""The transaction of a request that places an order: `DatabaseTransaction` behind the queue."""
