"""A request in a process of its own: it claims a key, says so, waits for a line, and keeps its answer. `python -m tests.kit.holder KEY`."""

import asyncio
import os
import sys

from pydantic import BaseModel, SecretStr

from kit.db.engine import create_engine, create_sessionmaker
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotentRequest
from kit.idempotency.long_running import LongRunningRequests
from tests.kit.tables import LongKeys


class Asked(BaseModel):
    item: str = "cup"


class Made(BaseModel):
    by: str


def intent(key: str, item: str = "cup") -> IdempotentRequest:
    made = IdempotentRequest.of("ada", "POST /payments", key, Asked(item=item))
    assert made is not None
    return made


async def work(key: str) -> None:
    url = SecretStr(os.environ["KIT_URL"])
    engine = create_engine(url, name="holder")
    sessions = create_sessionmaker(engine)
    claims = LongRunningRequests(sessions, LongKeys, url)
    try:
        async with claims.lock(intent(key)) as claim:
            print("held", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            async with sessions.begin() as session:
                await claim.store_response(session, 201, Made(by="holder"))
        print("kept", flush=True)
    except IdempotencyKeyInUse:
        print("in use", flush=True)
    finally:
        await claims.close()
        await engine.dispose()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
