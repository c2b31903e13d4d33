"""The role that k8s/components/postgres/create-role.sh makes is one that production starts with."""

from collections.abc import Iterator

import pytest
from debian_postgres import gatehouse_database

from gatehouse.storage.database import above_row_security, open_engine
from gatehouse.storage.schema import upgrade, why_not_ready


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with gatehouse_database() as url:
        yield url


async def test_it_is_bound_by_row_level_security_and_may_migrate(database_url: str) -> None:
    engine = open_engine(database_url)
    try:
        assert await above_row_security(engine) is False
        await upgrade(engine)
        assert await why_not_ready(engine) is None
    finally:
        await engine.dispose()
