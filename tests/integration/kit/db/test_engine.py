"""Bulk statements change no loaded objects, and connections of the pool are tested when they are taken."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete, event, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from kit.db.engine import create_sessionmaker
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Effect


@contextmanager
def recorded(engine: AsyncEngine) -> Iterator[list[str]]:
    """Record the statements that are sent to the database."""
    statements: list[str] = []

    def record(_c: object, _x: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", record)


async def test_a_bulk_update_does_not_change_loaded_objects(engine: AsyncEngine, sessions: Sessions) -> None:
    async with create_sessionmaker(engine).begin() as session:
        await session.execute(insert(Effect).values(of="before"))
        effect = (await session.execute(select(Effect))).scalar_one()
        await session.execute(update(Effect).where(Effect.of == "before").values(of="after"))
        assert effect.of == "before"
        await session.refresh(effect)
        assert effect.of == "after"


async def test_a_bulk_delete_is_one_statement(engine: AsyncEngine, sessions: Sessions) -> None:
    """By default, SQLAlchemy fetches the deleted rows where it cannot evaluate the condition itself."""
    async with sessions.begin() as session:
        await session.execute(insert(Effect).values(of="x"))
        await session.execute(select(Effect))
        with recorded(engine) as statements:
            await session.execute(delete(Effect).where(Effect.id.in_(select(Effect.id).limit(1))))
    deletes = [statement for statement in statements if "effects" in statement]
    assert len(deletes) == 1
    assert "RETURNING" not in deletes[0]
    async with async_sessionmaker(engine).begin() as session:
        with recorded(engine) as statements:
            await session.execute(delete(Effect).where(Effect.id.in_(select(Effect.id).limit(1))))
    assert any("RETURNING" in statement or statement.startswith("SELECT") for statement in statements)


async def test_objects_keep_their_values_after_the_commit(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        effect = Effect(of="x")
        session.add(effect)
    assert effect.of == "x"


async def test_pooled_connection_when_taken_is_tested_by_the_begin_of_its_transaction(engine: AsyncEngine) -> None:
    state = text("SELECT state, query FROM pg_stat_activity WHERE pid = :pid")
    await engine.dispose()  # the pool would lend connections of earlier tests first
    async with engine.connect() as other:
        await other.execution_options(isolation_level="AUTOCOMMIT")  # in a transaction, the view would not change
        async with engine.connect() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        async with engine.connect():
            assert (await other.execute(state, {"pid": pid})).one() == ("idle in transaction", "BEGIN;")
        assert (await other.execute(state, {"pid": pid})).one().state == "idle"


async def test_a_transaction_after_the_server_has_ended_the_connections_succeeds(engine: AsyncEngine) -> None:
    async with engine.connect() as other:
        async with engine.connect() as one, engine.connect() as two:
            pids = [await each.scalar(text("SELECT pg_backend_pid()")) for each in (one, two)]
        await other.execute(
            text("SELECT pg_terminate_backend(pid) FROM unnest(CAST(:pids AS integer[])) AS pid"), {"pids": pids}
        )
        async with engine.begin() as connection:
            assert await connection.scalar(text("SELECT pg_backend_pid()")) not in pids
