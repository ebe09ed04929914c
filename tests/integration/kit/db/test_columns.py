"""Text columns with the values of a StrEnum."""

import pytest
from sqlalchemy import ARRAY, bindparam, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from kit.db.columns import text_enum
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Color, Task


@pytest.mark.parametrize("color", [Color.RED, Color.GREEN, None])
async def test_a_value_is_stored_as_text_and_read_as_a_member(sessions: Sessions, color: Color | None) -> None:
    async with sessions.begin() as session:
        await session.execute(insert(Task).values(color=color))
        stored = (await session.execute(text("SELECT color FROM tasks"))).scalar_one()
        read = (await session.execute(select(Task.color))).scalar_one()
    assert (type(stored), stored) == (type(None) if color is None else str, color)
    assert read is color


async def test_members_and_their_text_find_the_same_rows(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        session.add_all([Task(color=Color.RED), Task(color=Color.GREEN)])
        await session.flush()
        for condition in (Task.color == Color.RED, Task.color == "red", Task.color.in_(["red"]), Task.color != "green"):
            assert (await session.execute(select(Task.color).where(condition))).scalars().all() == [Color.RED]


async def test_an_array_of_members_is_an_array_of_text(sessions: Sessions) -> None:
    colors = bindparam("colors", type_=ARRAY(text_enum(Color)))
    async with sessions() as session:
        found = (await session.execute(select(colors), {"colors": [Color.RED, "green", None]})).scalar_one()
    assert found == [Color.RED, Color.GREEN, None]


async def test_a_value_outside_the_enum_is_refused_before_the_database(sessions: Sessions) -> None:
    async with sessions() as session:
        with pytest.raises(StatementError, match="blue"):
            await session.execute(insert(Task).values(color="blue"))


async def test_a_value_outside_the_enum_is_refused_by_the_database(sessions: Sessions) -> None:
    async with sessions() as session:
        with pytest.raises(IntegrityError, match="ck_tasks_color"):
            await session.execute(text("INSERT INTO tasks (color) VALUES ('blue')"))
