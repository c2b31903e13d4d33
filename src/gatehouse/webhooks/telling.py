"""What webhooks tell: that an approval opened, and that a run ended. Nothing of what was said is in them."""

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.approvals.service import Recorded
from gatehouse.identity.principal import Principal
from gatehouse.runs.accounts import Account
from gatehouse.usage.store import Ended
from gatehouse.webhooks.outbox import Outbox

SHOWN = ("id", "kind", "run_id", "thread_id", "runnable", "tool", "digest", "user_id")


def telling_approvals(outbox: Outbox, recorded: Recorded) -> Recorded:
    """Return what tells of approvals that open, beside what `recorded` does."""

    async def told(connection: AsyncConnection, what: str, row: Row[Any], by: Principal | None) -> None:
        await recorded(connection, what, row, by)
        if what == "opened":
            data = {name: getattr(row, name) for name in SHOWN}
            data["expires_at"] = row.expires_at.isoformat()
            await outbox.add(connection, row.tenant_id, row.user_id, "approval.opened", row.id, data)

    return told


def telling_ends(outbox: Outbox) -> Ended:
    """Return what tells of runs that have ended."""

    async def told(connection: AsyncConnection, run: Account) -> None:
        data = {"run_id": run.run_id, "runnable": run.runnable, "status": run.status, "user_id": run.user_id}
        await outbox.add(connection, run.tenant_id, run.user_id, "run.ended", run.run_id, data)

    return told
