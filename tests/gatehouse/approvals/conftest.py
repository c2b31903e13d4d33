"""A migrated database, and the approvals of one run in it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from approval_runs import ApprovalsOf
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.service import Approvals
from gatehouse.storage.database import open_engine


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def approvals(engine: AsyncEngine) -> Approvals:
    return Approvals(engine, timedelta(hours=1))


@pytest.fixture
def of_run(approvals: Approvals) -> ApprovalsOf:
    """The approvals of a run of alice's, of acme, that has asked nothing yet."""
    return ApprovalsOf(approvals)
