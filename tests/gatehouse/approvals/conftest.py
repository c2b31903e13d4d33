"""A migrated database, and the approvals of one run in it."""

from datetime import timedelta

import pytest
from approval_runs import ApprovalsOf
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.service import Approvals


@pytest.fixture
def approvals(engine: AsyncEngine) -> Approvals:
    return Approvals(engine, timedelta(hours=1))


@pytest.fixture
def of_run(approvals: Approvals) -> ApprovalsOf:
    """The approvals of a run of alice's, of acme, that has asked nothing yet."""
    return ApprovalsOf(approvals)
