"""What is on record of a run's tools that act: written before they do."""

from gatehouse.audit.entry import AuditEntry
from gatehouse.audit.trail import AuditTrail
from gatehouse.runs.acting import Recorded
from gatehouse.runs.records import RunRecord


def audit_tool_calls(audit: AuditTrail) -> Recorded:
    """Return what enters each act in the audit log. It raises what the database raises."""

    async def recorded(run: RunRecord, tool: str, acts: bool) -> None:
        entry = AuditEntry(
            "tool.act",
            "ok" if acts else "refused",
            tenant_id=run.principal.tenant_id,
            user_id=run.principal.user_id,
            subject=tool,
            details={
                "run_id": run.id,
                "attempt": run.attempt,
                "runnable": run.runnable.removeprefix("/"),
                "signed_in_with": run.principal.credential,
            },
        )
        await audit.write(entry)

    return recorded
