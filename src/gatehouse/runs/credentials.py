"""Ends the runs whose credential was revoked while they went on. One that expires ends by itself in time."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from gatehouse.background import in_background
from gatehouse.identity.principal import Principal
from gatehouse.runs.engine import RunEngine
from gatehouse.runs.lifecycle.execution import Execution

log = structlog.get_logger(__name__)

CHECK_EVERY = 10.0  # seconds; with the 5 s in which a revocation is known, a run ends well within 30 s

# Tells whether a credential still holds; raises where it cannot be told
CredentialValid = Callable[[Principal], Awaitable[bool]]


@asynccontextmanager
async def credentials_watched(engine: RunEngine, credential_valid: CredentialValid) -> AsyncIterator[None]:
    """Check the credentials of this process's runs every 10 s while the context is open."""
    async with in_background(run_credentials=watch(engine, credential_valid)):
        yield


async def watch(engine: RunEngine, credential_valid: CredentialValid) -> None:
    """Check the credentials again and again, until cancelled."""
    while True:
        await asyncio.sleep(CHECK_EVERY)
        await end_runs_of_ended_credentials(engine, credential_valid)


async def end_runs_of_ended_credentials(engine: RunEngine, credential_valid: CredentialValid) -> None:
    """Stop the runs here whose credential holds no longer: each credential is asked about once.

    A run whose credential cannot be asked about goes on: its deadline ends it, and no tool acts for it.
    """
    runs: dict[tuple[str, str, str], list[Execution]] = defaultdict(list)
    for execution in engine.local.values():
        runs[execution.run.principal.credential_key].append(execution)
    for executions in runs.values():
        try:
            held = await credential_valid(executions[0].run.principal)
        except Exception as error:  # the database or Redis is away
            log.warning("credential of runs cannot be checked", error=type(error).__name__)
            continue
        if not held:
            for execution in executions:
                execution.halt("credential")
