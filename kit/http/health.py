"""Health routes. /livez: the process responds. /readyz: the process is ready, or the reasons why it is not. /metrics: Prometheus."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import ClassVar, Literal

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

from kit.errors import InvalidRequest, MemberTypes, Problem
from kit.http.routing import Route, Router
from kit.observability import multiprocess
from kit.problem_responses import problem_responses
from kit.schemas import ResponseModel

CHECK_SECONDS = 2.0


class NotReady(Problem):
    """The service is not ready. `checks` has the reason of each failed check."""

    status = 503
    members: ClassVar[MemberTypes] = {"checks": dict[str, str]}


class HealthRoute(Route):
    """A health route: no limit on requests applies to it, so the only request that it refuses is an invalid one."""

    def problems(self) -> Iterator[type[Problem]]:
        """Yield the only error."""
        yield InvalidRequest


Check = Callable[[], Awaitable[str | None]]
"""Returns None if the checked component works, else the reason why it does not."""


class Status(ResponseModel):
    """The answer of a service that works."""

    status: Literal["ok", "ready"]


class Readiness(Status):
    """The answer of a service that is ready."""

    warnings: dict[str, str] | None = Field(
        default=None, description="What an operator should know, by name. Absent if there is nothing"
    )


class Health:
    """Runs the readiness checks at most once a second, for any number of requests. A check fails after two seconds.

    `warnings` are checks whose failures are shown, and do not make the service unready.
    """

    def __init__(self, checks: Mapping[str, Check], warnings: Mapping[str, Check] | None = None) -> None:
        self.checks = checks
        self.warnings = {} if warnings is None else warnings
        self._lock = asyncio.Lock()
        self._checked_at = 0.0
        self._reasons: dict[str, str] = {}
        self._warned: dict[str, str] = {}

    async def reasons(self) -> dict[str, str]:
        """Return the reasons of the failed checks by name. Empty if the process is ready."""
        async with self._lock:
            if time.monotonic() - self._checked_at > 1:
                self._reasons, self._warned = await asyncio.gather(
                    self._run_all(self.checks), self._run_all(self.warnings)
                )
                self._checked_at = time.monotonic()
            return self._reasons

    async def _run_all(self, checks: Mapping[str, Check]) -> dict[str, str]:
        results = await asyncio.gather(*(self._run(check) for check in checks.values()))
        return {name: reason for name, reason in zip(checks, results, strict=True) if reason}

    async def _run(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await check()
        except TimeoutError:
            return f"no response within {CHECK_SECONDS:g} s"
        except Exception as error:
            return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"

    def router(self, service: str) -> Router:
        """Return the health routes. Their operation ids contain the name of the service, so that they are unique among all services."""
        router = Router(tags=["health"], route_class=HealthRoute)

        @router.get(
            "/livez", operation_id=f"check{service.capitalize()}Liveness", summary=f"Check the liveness of {service}"
        )
        async def livez() -> Status:
            """Answer, as long as the process can answer requests."""
            return Status(status="ok")

        @router.get(
            "/readyz",
            operation_id=f"check{service.capitalize()}Readiness",
            summary=f"Check the readiness of {service}",
            responses=problem_responses(NotReady),
            response_model=Readiness,
        )
        async def readyz() -> Response:
            """Check what the service needs. The reasons of failed checks are in `checks`. Warnings do not make the service unready."""
            reasons = await self.reasons()
            if reasons:
                raise NotReady("; ".join(f"{name}: {why}" for name, why in reasons.items()), checks=reasons)
            ready = Readiness(status="ready", warnings=self._warned or None)
            return Response(ready.model_dump_json(exclude_none=True), media_type="application/json")

        @router.get("/metrics", include_in_schema=False)
        async def metrics() -> Response:
            return Response(await asyncio.to_thread(multiprocess.render), media_type=CONTENT_TYPE_LATEST)

        return router
