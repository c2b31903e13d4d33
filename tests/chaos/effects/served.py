"""What the replicas of the experiment serve: agents that pay, and stand still where they are to be lost.

Imported by the servers alone: GATEHOUSE_REGISTRY names it. The bank's address is in a file of their folder.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import time_machine
from langchain.agents import create_agent
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import tool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse import Caller, ContainToolFailures, Entry, Parts, acts, caller_of, transaction_of
from gatehouse.approvals.models import Approval, Decision
from gatehouse.approvals.service import Approvals
from gatehouse.approvals.sweeping import Sweep
from gatehouse.identity.principal import Principal
from gatehouse.ledger.effect import Call, Effect
from gatehouse.ledger.store import EffectStore

BANK = httpx.AsyncClient(base_url=Path("bank").read_text(), timeout=30)
STOOD_STILL = 1.0  # seconds that are missing when a process was paused
PAYMENT = text("INSERT INTO chaos_payments (case_id, effect_key) VALUES (:case, :key)")


class Lost:
    """Stands still where a case says, if this process is to be lost and the first to come there: the bank knows."""

    def __init__(self) -> None:
        self._cases: dict[str, tuple[str, str, str]] = {}  # by run: id, point and fault

    def note(self, run_id: str, args: Mapping[str, Any]) -> None:
        if "point" in args:
            self._cases[run_id] = str(args["case"]), str(args["point"]), str(args["fault"])

    async def at(self, point: str, run_id: str) -> None:
        """Wait for the end of this process, or for its waking up."""
        case, where, fault = self._cases.get(run_id, ("", "", ""))
        if where != point:
            return
        told = await BANK.post("/held", json={"case": case, "replica": os.environ["CHAOS_REPLICA"]})
        if not told.json()["stands"]:
            return
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            if fault == "pause" and time.monotonic() - before > STOOD_STILL:
                return


lost = Lost()
deciding: ContextVar[bool] = ContextVar("deciding", default=False)  # who goes on has decided just now


class WatchedStore(EffectStore):
    """The ledger, which can be lost before and after each of its steps."""

    async def claim(self, call: Call) -> Effect:
        lost.note(call.run_id, call.args)
        await lost.at("before claim", call.run_id)
        effect = await EffectStore.claim(self, call)
        await lost.at("after claim", call.run_id)
        return effect

    async def settle(self, effect: Effect, *arguments: Any, **named: Any) -> None:
        await lost.at("before done", effect.run_id)
        await EffectStore.settle(self, effect, *arguments, **named)
        await lost.at("after done", effect.run_id)

    async def settle_within(
        self, connection: AsyncConnection, effect: Effect, *arguments: Any, **named: Any
    ) -> None:
        await lost.at("before done", effect.run_id)
        await EffectStore.settle_within(self, connection, effect, *arguments, **named)

    @asynccontextmanager
    async def transaction(self, effect: Effect) -> AsyncIterator[AsyncConnection]:
        async with EffectStore.transaction(self, effect) as connection:
            yield connection
        await lost.at("after done", effect.run_id)


class WatchedApprovals(Approvals):
    """Approvals, which can be lost between a decision and what follows from it."""

    async def decide(self, principal: Principal, approval_id: str, decision: Decision) -> Approval:
        deciding.set(True)
        return await Approvals.decide(self, principal, approval_id, decision)


class WatchedSweep(Sweep):
    """Goes on with runs as they are decided, unless it is lost before."""

    async def kick(self, tenant_id: str, run_id: str) -> None:
        if deciding.get():
            for approval in await self._approvals.asked_by(tenant_id, run_id):
                lost.note(run_id, approval.args or {})
            await lost.at("before going on", run_id)
        await Sweep.kick(self, tenant_id, run_id)


def watch() -> None:
    """Have what this process claims, settles and decides be watched."""
    vars(import_module("gatehouse.lifespan.services"))["EffectStore"] = WatchedStore
    vars(import_module("gatehouse.lifespan.parts"))["Approvals"] = WatchedApprovals
    vars(import_module("gatehouse.approvals.sweeping"))["Sweep"] = WatchedSweep
    # else a run goes on without its record, which stands still
    vars(import_module("gatehouse.ledger.ledger"))["KEEP_SECONDS"] = 600.0


async def pay(case: str, config: RunnableConfig, way: str) -> str:
    """Pay at the bank, or in the server's own database."""
    run_id, key = config["configurable"]["run_id"], caller_of(config).effect_key
    await lost.at("before paying", run_id)
    if way == "transaction":
        await transaction_of(config).execute(PAYMENT, {"case": case, "key": key})
    else:
        (await BANK.post("/pay", json={"case": case, "key": key, "way": way})).raise_for_status()
    await lost.at("after paying", run_id)
    return f"paid {case}"


async def paid(key: str, _caller: Caller) -> str | None:
    answer = await BANK.get(f"/payments/{key}")
    return str(answer.json()["case"]) if answer.status_code == httpx.codes.OK else None


@acts
@tool
async def pay_plain(case: str, point: str, fault: str, config: RunnableConfig) -> str:
    """Pay for a case."""
    return await pay(case, config, "plain")


@acts(idempotent=True)
@tool
async def pay_idempotent(case: str, point: str, fault: str, config: RunnableConfig) -> str:
    """Pay for a case, once a key."""
    return await pay(case, config, "idempotent")


@acts(check=paid)
@tool
async def pay_check(case: str, point: str, fault: str, config: RunnableConfig) -> str:
    """Pay for a case at a bank that can be asked."""
    return await pay(case, config, "check")


@acts(transaction=True)
@tool
async def pay_transaction(case: str, point: str, fault: str, config: RunnableConfig) -> str:
    """Pay for a case in the server's own database."""
    return await pay(case, config, "transaction")


def kept(parts: Parts) -> Runnable[Any, Any]:
    watch()
    return create_agent(
        parts.model, list(parts.tools), middleware=[ContainToolFailures()], checkpointer=parts.checkpointer
    )


def anew(parts: Parts) -> Runnable[Any, Any]:
    watch()
    return create_agent(parts.model, list(parts.tools), middleware=[ContainToolFailures()])


def mistime() -> None:
    """Set the clock of this process wrong, by as many seconds as it was started with."""
    if ahead := float(os.environ.get("CHAOS_CLOCK_AHEAD", "0")):
        time_machine.travel(datetime.now(UTC) + timedelta(seconds=ahead), tick=True).start()


mistime()
TOOLS = (pay_plain, pay_idempotent, pay_check, pay_transaction)
REGISTRY = [
    Entry("/kept", kept, "Pays, and keeps checkpoints.", tools=TOOLS),
    Entry("/anew", anew, "Pays, and is asked from the start.", tools=TOOLS),
    Entry(
        "/asked",
        kept,
        "Pays after a word.",
        tools=TOOLS,
        approve={one.name: "approve reject" for one in TOOLS},
    ),
]
