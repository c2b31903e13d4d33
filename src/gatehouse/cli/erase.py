"""`gatehouse erase`: all that is kept of a user."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from gatehouse.cli import parsing
from gatehouse.cli.environment import load_settings
from gatehouse.cli.failure import Failed
from gatehouse.cli.output import print_json
from gatehouse.cli.stores import open_database

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gatehouse.erasure import Erased
    from gatehouse.settings import Settings


def erase(
    user: Annotated[str, typer.Argument(parser=parsing.name, metavar="USER", help="The user's id.")],
    tenant: Annotated[str, typer.Option(parser=parsing.name, metavar="T", help="The tenant's id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Erase all that is kept of a user: threads, files, feedback, runs, keys and sessions.

    The tenant's books keep their sums without the user, and the audit log its rows. Nothing brings it back.
    """
    settings = load_settings()
    if not yes:
        typer.confirm(f"Erase all that is kept of {user} of {tenant}?", abort=True, err=True)
    erased = asyncio.run(erased_user(settings, tenant, user))
    if as_json:
        print_json(erased.model_dump())
        return
    for what, count in erased.model_dump().items():
        print(f"{what.replace('_', ' '):<12} {count}")


async def erased_user(settings: "Settings", tenant_id: str, user_id: str) -> "Erased":
    """Raises Failed when the database or Redis cannot be used."""
    from gatehouse.storage.opening import CannotStart, open_redis

    try:
        async with open_database(settings) as engine, open_redis(settings) as redis:
            return await within(settings, engine, redis, tenant_id, user_id)
    except CannotStart as error:
        raise Failed(str(error)) from None


async def within(
    settings: "Settings", engine: "AsyncEngine", redis: "Redis", tenant_id: str, user_id: str
) -> "Erased":
    from gatehouse.audit.entry import AuditEntry
    from gatehouse.audit.trail import AuditTrail
    from gatehouse.auth.browser.sessions import Sessions
    from gatehouse.erasure import Eraser
    from gatehouse.runs.checkpoints.opening import open_checkpoints
    from gatehouse.runs.engine import RunEngine
    from gatehouse.runs.lifecycle.conducting import Conductor
    from gatehouse.threads.history import ThreadHistory
    from gatehouse.threads.store import ThreadStore

    entry = AuditEntry("user.erase", "ok", tenant_id, subject=user_id, details={"by": "gatehouse erase"})
    await AuditTrail(engine, lambda _count: None).write(entry)
    async with open_checkpoints(settings.database) as checkpoints:
        history = ThreadHistory(ThreadStore(engine), settings.history_tokens)
        # without runnables it takes over no run: it tells the servers to stop them
        runs = RunEngine(Conductor(redis, {}, history, checkpoints, settings.runs))
        sessions = Sessions(redis, settings.session_lifetime)
        return await Eraser(engine, redis, sessions, runs).erase(tenant_id, user_id)
