"""Every operation of the OpenAPI documents that changes something writes an audit entry, unless it is listed here with the reason."""

import inspect
import json
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from dev import PROJECT
from kit.audit.entries import record
from kit.audit.requests import acting
from services.auth.app import app as auth_app
from services.catalog.app import app as catalog_app
from services.payments.app import app as payments_app

APPS = {"auth": auth_app, "catalog": catalog_app, "payments": payments_app}
OWN_ACCOUNT = "The owner changes their own account, or asks for a mail about it."
TOKENS = "A person or program gets or revokes tokens of their own."
OWN_ORDERS = "A customer changes their own order, payment or saved card."
NOT_RECORDED = {
    **dict.fromkeys(
        (
            *("registerAccount", "changeAccount", "deleteAccount", "restoreAccount", "changePassword", "changeEmail"),
            *("undoEmailChange", "verifyEmail", "requestVerificationMail", "requestEmailCode"),
            *("forgotPassword", "resetPassword", "endSession", "endOtherSessions", "mergeGuest"),
        ),
        OWN_ACCOUNT,
    ),
    **dict.fromkeys(("getAccessToken", "revokeToken", "createGuest"), TOKENS),
    **dict.fromkeys(("placeOrder", "startPayment", "chargeSavedCard", "deleteCard"), OWN_ORDERS),
    "verifyPayment": "It reads the payment from Paystack, as the sweeper does, and decides nothing.",
    "receiveWebhookEvent": "Paystack sends it. The event is stored as it was received.",
    "createUploadUrl": "It changes nothing here. The answer to the dispute, which names the file, is recorded.",
}
ROOTS = ("services.", "kit.")


def operations() -> Iterator[tuple[str, str, str, str]]:
    """Yield service, method, path and id of each operation that changes something."""
    for service in APPS:
        document = json.loads((PROJECT / "docs" / "openapi" / f"{service}.json").read_text())
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if method in {"post", "put", "patch", "delete"}:
                    yield service, method.upper(), path, operation["operationId"]


def names(code: CodeType) -> set[str]:
    """Return the names that a function uses, also in the functions inside it."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(names, inner))


def used_by(function: FunctionType) -> Iterator[object]:
    """Yield the functions, classes and members of modules that a function names."""
    used = names(function.__code__)
    for name in used & function.__globals__.keys():
        found = function.__globals__[name]
        yield found
        if isinstance(found, ModuleType):
            yield from (getattr(found, attribute) for attribute in used if hasattr(found, attribute))


def reachable(start: Callable[..., Any]) -> set[object]:
    """Return the functions of this project that may be called by `start`. Of a class that it names, these are all methods."""
    found: set[object] = set()
    waiting: list[object] = [start]
    while waiting:
        each = waiting.pop()
        if callable(each):
            each = inspect.unwrap(each)
        if isinstance(each, type) and each.__module__.startswith(ROOTS) and each not in found:
            found.add(each)
            waiting += [member for member in vars(each).values() if isinstance(member, FunctionType)]
        elif isinstance(each, FunctionType) and each.__module__.startswith(ROOTS) and each not in found:
            found.add(each)
            waiting += used_by(each)
    return found


def dependencies(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from dependencies(dependency)


def takes_the_actor(route: APIRoute) -> bool:
    """Return whether a dependency of the route is one that `acting` returned."""
    made_by_acting = {constant for constant in acting.__code__.co_consts if isinstance(constant, CodeType)}
    return any(getattr(call, "__code__", None) in made_by_acting for call in dependencies(route.dependant))


@pytest.mark.parametrize(("service", "method", "path", "operation"), list(operations()))
def test_operation_that_changes_something_takes_the_actor_and_records_the_act(
    service: str, method: str, path: str, operation: str
) -> None:
    (route,) = (
        route
        for route in APPS[service].routes
        if isinstance(route, APIRoute) and route.path == path and method in (route.methods or ())
    )
    recorded = record in reachable(route.endpoint)
    assert (takes_the_actor(route), recorded) == (operation not in NOT_RECORDED,) * 2


def test_every_exception_is_an_operation() -> None:
    assert NOT_RECORDED.keys() - {operation for *_, operation in operations()} == set()
