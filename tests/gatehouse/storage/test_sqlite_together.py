"""Rows of two tables that SQLite inserts together."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import JSON, Column, ForeignKey, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.storage.database import open_engine
from gatehouse.storage.inserting import insert_if_new
from gatehouse.storage.sqlite_together import InsertTogether

tables = MetaData()
boxes = Table("boxes", tables, Column("id", Integer, primary_key=True))
things = Table(
    "things",
    tables,
    Column("id", Integer, primary_key=True),
    Column("box", Integer, ForeignKey("boxes.id")),
    Column("about", JSON),
)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}")
    async with engine.begin() as connection:
        await connection.run_sync(tables.create_all)
    yield engine
    await engine.dispose()


@pytest.fixture
def insert_box(engine: AsyncEngine) -> InsertTogether:
    return InsertTogether(
        engine, insert_if_new(engine, boxes), ["id"], insert(things), ["id", "box", "about"]
    )


async def stored(engine: AsyncEngine) -> tuple[list[int], list[tuple[int, object]]]:
    async with engine.connect() as connection:
        kept = (await connection.scalars(select(boxes.c.id))).all()
        inside = (await connection.execute(select(things.c.id, things.c.about))).all()
        return list(kept), [(row.id, row.about) for row in inside]


def thing(number: int, box: int) -> dict[str, object]:
    return {"id": number, "box": box, "about": {"n": [number]}}


async def test_are_there_as_sqlalchemy_would_have_stored_them(
    engine: AsyncEngine, insert_box: InsertTogether
) -> None:
    assert await insert_box({"id": 1}, [thing(1, 1), thing(2, 1)])
    assert await stored(engine) == ([1], [(1, {"n": [1]}), (2, {"n": [2]})])


async def test_are_left_alone_where_the_first_is_not_new(
    engine: AsyncEngine, insert_box: InsertTogether
) -> None:
    assert await insert_box({"id": 1}, [thing(1, 1)])
    assert not await insert_box({"id": 1}, [thing(2, 1)])
    assert await stored(engine) == ([1], [(1, {"n": [1]})])


async def test_are_all_left_out_where_one_is_refused(engine: AsyncEngine, insert_box: InsertTogether) -> None:
    with pytest.raises(IntegrityError) as refused:
        await insert_box({"id": 1}, [thing(1, 1), thing(1, 1)])
    assert "INSERT" not in str(refused.value)
    assert await stored(engine) == ([], [])


async def test_raise_what_a_database_that_is_away_does(
    engine: AsyncEngine, insert_box: InsertTogether
) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(things.drop)
    with pytest.raises(OperationalError):
        await insert_box({"id": 1}, [thing(1, 1)])
    assert (await engine_boxes(engine)) == []


async def engine_boxes(engine: AsyncEngine) -> list[int]:
    async with engine.connect() as connection:
        return list((await connection.scalars(select(boxes.c.id))).all())
