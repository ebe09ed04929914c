"""Calls after a commit, and none after a rollback of the transaction or of a savepoint."""

from kit.db.after_commit import after_commit
from kit.observability.tracing import continue_trace, new_traceparent, traceparent
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Effect


async def test_function_is_called_once_after_the_commit(sessions: Sessions) -> None:
    called: list[str] = []
    async with sessions() as session:
        async with session.begin():
            session.add(Effect(of="first"))
            after_commit(session, called.append, "first")
            await session.flush()
            assert called == []
        assert called == ["first"]
        async with session.begin():
            session.add(Effect(of="second"))
        assert called == ["first"]


async def test_function_is_not_called_after_a_rollback(sessions: Sessions) -> None:
    called: list[str] = []
    async with sessions() as session:
        transaction = await session.begin()
        after_commit(session, called.append, "rolled back")
        session.add(Effect(of="rolled back"))
        await session.flush()
        await transaction.rollback()
        async with session.begin():
            session.add(Effect(of="kept"))
    assert called == []


async def test_function_of_a_savepoint_is_called_after_the_commit_unless_the_savepoint_is_rolled_back(
    sessions: Sessions,
) -> None:
    called: list[str] = []
    async with sessions.begin() as session:
        after_commit(session, called.append, "before")
        async with session.begin_nested():
            after_commit(session, called.append, "released")
            async with session.begin_nested():
                after_commit(session, called.append, "inner")
        assert called == []
        savepoint = await session.begin_nested()
        async with session.begin_nested():
            after_commit(session, called.append, "released into a savepoint that is rolled back")
        after_commit(session, called.append, "rolled back")
        await savepoint.rollback()
        after_commit(session, called.append, "after")
    assert called == ["before", "released", "inner", "after"]


async def test_function_has_the_trace_of_the_moment_at_which_it_was_passed(sessions: Sessions) -> None:
    trace, seen = new_traceparent(), []
    async with sessions.begin() as session:
        with continue_trace(trace):
            after_commit(session, lambda: seen.append(traceparent()))
        await session.flush()
    assert seen == [trace]
