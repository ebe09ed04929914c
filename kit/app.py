"""The common parts of every service's app: health, limits, CORS, errors, telemetry."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from kit import errors, openapi, pagination, process
from kit.account_limit import AccountLimitState
from kit.caller_limit import CallerLimit
from kit.http.body_limit import BodyLimit
from kit.http.client_address import TrustedProxies
from kit.http.fixed_paths import prefer_fixed_paths
from kit.http.head import Head
from kit.http.health import Check, Health
from kit.http.index import index_router
from kit.http.rate_limit import TokenBuckets
from kit.http.request_limit import MAX_REQUESTS, RequestLimit
from kit.http.route_index import RouteIndex
from kit.http.routing import Route, Router, operation_id
from kit.http.unparsed_routes import UnparsedRoutes
from kit.observability.access_log import AccessLog
from kit.observability.logging import configure_logging
from kit.observability.middleware import Telemetry
from kit.settings import Settings

CORS_REQUEST_HEADERS = ["Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID", "traceparent", "tracestate"]
CORS_RESPONSE_HEADERS = ["ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Process-Time", "X-Request-ID"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, object]]]
"""Creates the objects that requests share (clients, key sets, pools) and yields them by name. Each of them becomes an attribute of
`request.state`."""


def create_app(
    name: str,
    settings: Settings,
    *,
    description: str,
    checks: Mapping[str, Check],
    lifespan: Lifespan,
    cursor_secret: str,
    warnings: Mapping[str, Check] | None = None,
    routers: Sequence[Router] = (),
    body_limits: Mapping[str, int] | None = None,
    max_requests: int = MAX_REQUESTS,
) -> FastAPI:
    """Create an app with the routes of `routers`, `/docs`, health and problem+json errors.

    If two routes match a path, the one without parameters answers, or else the first one. The routes of class UnparsedRoute
    are served before all others.
    `cursor_secret`: a secret of the service, from which the key of its cursors is derived. Every process of the service has the same.
    `warnings`: checks whose failures /readyz shows without becoming unready. `body_limits`: maximum body sizes in bytes by path; other
    paths accept 64 KiB. `max_requests`: requests that are processed at the same time, without UnparsedRoutes and health checks.
    """
    configure_logging(settings.log_level, settings.log_format, name)
    proxies = TrustedProxies(settings.trusted_proxies)
    app = FastAPIOffline(
        title=name,
        version="1",
        description=description + openapi.DESCRIPTION,
        lifespan=_with_common_state(lifespan, settings, proxies),
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        # Telemetry does this here. FastAPI's own telemetry reads the environment at each request, even if nothing is exported.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.router.route_class = Route
    openapi.complete_openapi(app)
    errors.install_error_handlers(app)
    pagination.encryption.use_secret(cursor_secret)
    for router in (*routers, index_router(name, app.version), Health(checks, warnings).router(name)):
        # Not include_router: for each request, FastAPI 0.165 asks the included routers one after another, which takes 9 µs for each.
        app.router.routes.extend(router.routes)
    prefer_fixed_paths(app.router.routes)
    app.router.middleware_stack = RouteIndex(app.router)
    _add_middleware(app, name, settings, proxies, body_limits, max_requests)
    return app


def _with_common_state(lifespan: Lifespan, settings: Settings, proxies: TrustedProxies) -> Lifespan:
    """Return a lifespan whose state also has what every service needs."""

    @asynccontextmanager
    async def app_lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, object]]:
        async with lifespan(app) as state:
            process.limit_garbage_collection()
            limits = AccountLimitState(
                account_limit=TokenBuckets(settings.rate_limit_per_account),
                account_requests=TokenBuckets(settings.rate_limit_per_account_total),
            )
            yield {**state, **limits, "trusted_proxies": proxies}

    return app_lifespan


def _add_middleware(
    app: FastAPI,
    name: str,
    settings: Settings,
    proxies: TrustedProxies,
    body_limits: Mapping[str, int] | None,
    max_requests: int,
) -> None:
    """Add the middleware of every service. That which is added last is the outermost."""
    app.add_middleware(RequestLimit, limit=max_requests)
    # Without a trusted proxy, the peer may be a proxy whose address stands for all clients.
    limited_by_address = proxies if settings.trusted_proxies else None
    app.add_middleware(CallerLimit, proxies=limited_by_address, per_address=settings.rate_limit_per_address)
    app.add_middleware(UnparsedRoutes, routes=app.routes)
    app.add_middleware(BodyLimit, limits=body_limits)
    app.add_middleware(Head)
    app.add_middleware(Telemetry, access_log=AccessLog(name, settings.log_level, settings.log_format))
    if settings.cors_origins:
        # Outside of Telemetry, so that CORS also applies to the 500 of Telemetry.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_RESPONSE_HEADERS,
        )
