"""The transaction of a request that changes the tree of categories."""

from collections.abc import AsyncIterator
from typing import Annotated, TypedDict

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from kit.errors import Unavailable, raises
from kit.http.rate_limit import TooManyRequests
from services.catalog.auth import EditorCaller
from services.catalog.db import sessions
from services.catalog.turns import TurnQueue


class TreeQueueState(TypedDict):
    """The attributes of `request.state` that the dependency below needs."""

    tree_queue: TurnQueue
    """One request at a time: most of them lock the whole tree."""


@raises(TooManyRequests, Unavailable)
async def tree_transaction(request: Request, editor: EditorCaller) -> AsyncIterator[AsyncSession]:
    """Wait for a turn, then yield the session of the request's transaction. The turn ends after the commit."""
    queue: TurnQueue = request.state.tree_queue
    async with queue.turn(editor.id), sessions.begin() as session:
        yield session


TreeTransaction = Annotated[AsyncSession, Depends(tree_transaction, scope="function")]
"""A `DatabaseTransaction` that begins when it is the turn of the request: many concurrent moves wait without holding connections."""
