"""Health routes. /livez: the process responds. /readyz: the process is ready, or the reasons why it is not. /metrics: Prometheus."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kit.errors import problem_response

CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[str | None]]
"""Returns None if the checked component works, else the reason why it does not."""


class Health:
    """Runs the readiness checks at most once a second, for any number of requests. A check fails after two seconds."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self.checks = checks
        self._lock = asyncio.Lock()
        self._checked_at = 0.0
        self._reasons: dict[str, str] = {}

    async def reasons(self) -> dict[str, str]:
        """Return the reasons of the failed checks by name. Empty if the process is ready."""
        async with self._lock:
            if time.monotonic() - self._checked_at > 1:
                results = await asyncio.gather(*(self._run(check) for check in self.checks.values()))
                self._reasons = {name: reason for name, reason in zip(self.checks, results, strict=True) if reason}
                self._checked_at = time.monotonic()
            return self._reasons

    async def _run(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await check()
        except TimeoutError:
            return f"no response within {CHECK_SECONDS:g} s"
        except Exception as error:
            return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"

    def router(self) -> APIRouter:
        """Return the health routes."""
        router = APIRouter(tags=["health"])

        @router.get("/livez")
        async def livez() -> dict[str, str]:
            return {"status": "ok"}

        @router.get("/readyz", responses={503: {"description": "Not ready, with the failed checks and their reasons"}})
        async def readyz() -> Response:
            reasons = await self.reasons()
            if reasons:
                return problem_response(
                    503, "not_ready", "; ".join(f"{name}: {why}" for name, why in reasons.items()), checks=reasons
                )
            return Response('{"status":"ready"}', media_type="application/json")

        @router.get("/metrics", include_in_schema=False)
        async def metrics() -> Response:
            return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

        return router
