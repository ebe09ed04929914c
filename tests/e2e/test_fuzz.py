"""A short `make fuzz`: every role once, every service once, all checks and all phases."""

import pytest

from dev.fuzz.roles import access_token
from dev.fuzz.run import run
from tests.fixtures.stack_client import StackClient

SECONDS = "11"
"""The time of one run. Three runs take less than 40 s."""


@pytest.mark.parametrize(
    ("service", "role"), [("auth", "anonymous"), ("catalog", "customer"), ("payments", "administrator")]
)
async def test_generated_requests_have_the_documented_answers(service: str, role: str, shop: StackClient) -> None:
    token = await access_token(shop.env, shop.client, role)
    result = await run(service, shop.env[f"{service.upper()}_URL"], role, token, "--max-time", SECONDS, "--seed", "1")
    assert result.passed, result.output
