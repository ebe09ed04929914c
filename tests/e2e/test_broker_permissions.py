"""Services of `make run` use the broker with the same permissions as in compose, and only their workers can connect to it."""

import pytest

from dev.stack.names import APIS, WORKERS
from dev.stack.stack import Stack
from tests.fixtures.forbidden_broker_acts import ALLOWED, REFUSED, forbidden_acts, needed_acts, try_acts


@pytest.mark.parametrize("user", ["auth", "catalog", "payments"])
async def test_forbidden_act_when_tried_in_the_running_stack_is_refused(stack: Stack, user: str) -> None:
    url = stack.env[f"{user.upper()}_AMQP_URL"]
    forbidden, needed = forbidden_acts(user), needed_acts(user)
    assert await try_acts(url, forbidden) == dict.fromkeys(forbidden, REFUSED)
    assert await try_acts(url, needed) == dict.fromkeys(needed, ALLOWED)


def test_process_when_it_is_no_worker_that_uses_the_broker_has_no_url_of_it(stack: Stack) -> None:
    urls = {
        name: {key: value for key, value in stack.program(name).env.items() if "AMQP" in key}
        for name in (*APIS, *WORKERS)
    }
    assert urls == {
        **{name: {} for name in urls},
        "auth-worker": {"AMQP_URL": stack.env["AUTH_AMQP_URL"]},
        "catalog-worker": {"AMQP_URL": stack.env["CATALOG_AMQP_URL"]},
        "payments-worker": {"AMQP_URL": stack.env["PAYMENTS_AMQP_URL"]},
    }
    assert stack.env["AMQP_URL"].startswith("amqp://admin:")
