"""What is on record of approvals: written in the transaction that opens, decides or ends them."""

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.approvals.service import Recorded
from gatehouse.audit.entry import Action, AuditEntry
from gatehouse.audit.trail import AuditTrail
from gatehouse.identity.principal import Principal

ACTIONS: dict[str, Action] = {
    "opened": "approval.open",
    "decided": "approval.decide",
    "expired": "approval.end",
    "cancelled": "approval.end",
}


def audit_approvals(audit: AuditTrail) -> Recorded:
    """Return what enters each step of an approval in the audit log. It raises what the database raises."""

    async def recorded(
        connection: AsyncConnection, what: str, row: Row[Any], principal: Principal | None
    ) -> None:
        signed = {"signed_in_with": principal.credential} if principal else {}
        entry = AuditEntry(
            ACTIONS[what],
            "ok",
            tenant_id=row.tenant_id,
            user_id=principal.user_id if principal else row.user_id,
            subject=row.tool or row.kind,
            details={
                "approval_id": row.id,
                "run_id": row.run_id,
                "runnable": row.runnable,
                "status": row.status,
                "digest": row.digest,
                "owner": row.user_id,
                **signed,
            },
        )
        await audit.write_within(connection, entry)

    return recorded
