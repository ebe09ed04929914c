"""Sessions with bulk statements that do not search the session."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete, event, insert, select, update
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
    """Without the option, SQLAlchemy fetches the deleted rows where it cannot evaluate the condition itself."""
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
