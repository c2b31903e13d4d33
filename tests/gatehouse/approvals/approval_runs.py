"""Runs that ask for approvals, without an engine around them."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.utils.uuid import uuid7
from sqlalchemy import select

from gatehouse.approvals.models import Approval, Choice, Decision
from gatehouse.approvals.service import Approvals
from gatehouse.approvals.tables import waiting_runs
from gatehouse.identity.principal import Principal
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.steps import Asked
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.tools.approving import ASKS

ALICE = Principal("acme", "alice", "Alice", frozenset({"*"}), "jwt", "a")
CAROL = Principal("acme", "carol", "Carol", frozenset({"approvals:decide"}), "jwt", "c")
DAVE = Principal("acme", "dave", "Dave", frozenset(), "jwt", "d")
ELSEWHERE = replace(ALICE, tenant_id="beta")

AMOUNT = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "amount": {"type": "integer", "minimum": 1}},
    "required": ["to", "amount"],
}
ALL: tuple[Choice, ...] = ("approve", "edit", "reject", "respond")


def transfer(interrupt: str = "i1", amount: int = 100, allowed: tuple[str, ...] = ALL) -> Asked:
    """Return the question of a tool of ours whether it may transfer so much to Bob."""
    args = {"to": "Bob", "amount": amount}
    value = {
        "type": ASKS, "kind": "tool", "tool": "transfer", "args": args, "allowed": list(allowed),
        "tool_call_id": f"call-{interrupt}", "description": "Send money", "schema": AMOUNT,
    }  # fmt: skip
    return Asked(interrupt, value)


def run_of(principal: Principal = ALICE) -> RunRecord:
    now = time.time()
    return RunRecord(str(uuid7()), principal, "/agent", {"input": "hi"}, None, now, now + 300, 30)


@dataclass
class ApprovalsOf:
    """What one run asks."""

    approvals: Approvals
    run: RunRecord = field(default_factory=run_of)

    async def ask(self, *asked: Asked) -> list[Approval]:
        return [item for _, item in await self.approvals.open(self.run, asked or (transfer(),))]

    async def state(self) -> tuple[str, str]:
        """Return whether the run waits or is due, and how it is to go on."""
        query = select(waiting_runs.c.state, waiting_runs.c.how).where(waiting_runs.c.run_id == self.run.id)
        tenant_id = self.run.principal.tenant_id
        async with tenant_transaction(self.approvals.engine, tenant_id) as connection:
            row = (await connection.execute(query)).one()
        return row.state, row.how

    async def statuses(self) -> list[str]:
        return [item.status for item in await self.approvals.asked_by("acme", self.run.id)]


def decision(approval: Approval, choice: Choice = "approve", **said: Any) -> Decision:
    return Decision(decision=choice, digest=approval.digest, **said)
