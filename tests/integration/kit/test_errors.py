"""Error responses to database errors."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.fixtures.sample_app import make_app, sample_client


@pytest.mark.parametrize(
    ("statement", "status", "code"),
    [
        ("SELECT pg_sleep(3)", 503, "unavailable"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", 503, "unavailable"),
        ("SELECT 'x'::int", 422, "invalid_value"),
        ("SELECT 9223372036854775807 + 1", 422, "invalid_value"),
        ("SELECT * FROM nothing_of_this_name", 500, "internal_error"),
    ],
)
async def test_a_database_error_is_answered_by_its_kind(
    engine: AsyncEngine, statement: str, status: int, code: str
) -> None:
    app = make_app()

    @app.get("/database")
    async def database() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SET statement_timeout = 100"))
            await connection.execute(text(statement))

    async with sample_client(app) as client:
        response = await client.get("/database")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "SELECT" not in response.text
