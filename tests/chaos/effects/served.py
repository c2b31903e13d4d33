"""What the replicas of the experiment serve: agents that pay, and stand still where they are to be lost.

Imported by the servers alone: GATEHOUSE_REGISTRY names it. The bank's address is in a file of their folder.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from langchain.agents import create_agent
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import tool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse import Caller, ContainToolFailures, Entry, Parts, acts, caller_of, transaction_of
from gatehouse.ledger.effect import Call, Effect
from gatehouse.ledger.store import EffectStore

BANK = httpx.AsyncClient(base_url=Path("bank").read_text(), timeout=30)
STOOD_STILL = 1.0  # seconds that are missing when a process was paused
PAYMENT = text("INSERT INTO chaos_payments (case_id, effect_key) VALUES (:case, :key)")


class Lost:
    """Stands still where a case says, in its first attempt."""

    def __init__(self) -> None:
        self._cases: dict[str, tuple[str, str, str]] = {}  # by run: id, point and fault
        self._stood: set[str] = set()

    def note(self, call: Call) -> None:
        if call.attempt == 1 and "point" in call.args:
            args = call.args
            self._cases[call.run_id] = str(args["case"]), str(args["point"]), str(args["fault"])

    async def at(self, point: str, run_id: str, attempt: int) -> None:
        """Wait for the end of this process, or for its waking up."""
        case, where, fault = self._cases.get(run_id, ("", "", ""))
        if attempt != 1 or where != point or run_id in self._stood:
            return
        self._stood.add(run_id)
        (await BANK.post("/held", json={"case": case})).raise_for_status()
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            if fault == "pause" and time.monotonic() - before > STOOD_STILL:
                return


lost = Lost()


class WatchedStore(EffectStore):
    """The ledger, which can be lost before and after each of its steps."""

    async def claim(self, call: Call) -> Effect:
        lost.note(call)
        await lost.at("before claim", call.run_id, call.attempt)
        effect = await EffectStore.claim(self, call)
        await lost.at("after claim", call.run_id, call.attempt)
        return effect

    async def settle(self, effect: Effect, *arguments: Any, **named: Any) -> None:
        await lost.at("before done", effect.run_id, effect.attempt)
        await EffectStore.settle(self, effect, *arguments, **named)
        await lost.at("after done", effect.run_id, effect.attempt)

    async def settle_within(
        self, connection: AsyncConnection, effect: Effect, *arguments: Any, **named: Any
    ) -> None:
        await lost.at("before done", effect.run_id, effect.attempt)
        await EffectStore.settle_within(self, connection, effect, *arguments, **named)

    @asynccontextmanager
    async def transaction(self, effect: Effect) -> AsyncIterator[AsyncConnection]:
        async with EffectStore.transaction(self, effect) as connection:
            yield connection
        await lost.at("after done", effect.run_id, effect.attempt)


def watch() -> None:
    """Have every ledger of this process be a watched one."""
    vars(import_module("gatehouse.lifespan"))["EffectStore"] = WatchedStore
    # else a run goes on without its record, which stands still
    vars(import_module("gatehouse.ledger.ledger"))["KEEP_SECONDS"] = 600.0


async def pay(case: str, config: RunnableConfig, way: str) -> str:
    """Pay at the bank, or in the server's own database."""
    placed, key = config["configurable"], caller_of(config).effect_key
    await lost.at("before paying", placed["run_id"], placed["attempt"])
    if way == "transaction":
        await transaction_of(config).execute(PAYMENT, {"case": case, "key": key})
    else:
        (await BANK.post("/pay", json={"case": case, "key": key, "way": way})).raise_for_status()
    await lost.at("after paying", placed["run_id"], placed["attempt"])
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


TOOLS = (pay_plain, pay_idempotent, pay_check, pay_transaction)
REGISTRY = [
    Entry("/kept", kept, "Pays, and keeps checkpoints.", tools=TOOLS),
    Entry("/anew", anew, "Pays, and is asked from the start.", tools=TOOLS),
]
