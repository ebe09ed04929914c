"""The rows that the migration writes."""

from sqlalchemy import select

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, PERSON_SCOPES
from services.auth.clients.models import Client
from services.auth.db import db_sessions
from services.auth.models import ADMIN, CUSTOMER, Role


async def test_roles_have_the_scopes_of_the_contract() -> None:
    async with db_sessions() as session:
        roles = {role.name: set(role.scope.split()) for role in await session.scalars(select(Role))}
    assert roles.pop(ADMIN) == ADMIN_SCOPES
    assert roles.pop(CUSTOMER) == CUSTOMER_SCOPES
    assert {*roles} == {"support"}
    assert CUSTOMER_SCOPES < roles["support"] < ADMIN_SCOPES


async def test_the_default_client_is_public_and_limits_no_role() -> None:
    async with db_sessions() as session:
        client = await session.get_one(Client, "shop")
    assert (client.public, client.scopes) == (True, PERSON_SCOPES)
