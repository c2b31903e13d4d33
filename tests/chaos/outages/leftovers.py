"""What is in the stores when all runs have ended: places in limits, threads, checkpoints."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

MESSAGES = text("SELECT run_id, role, content FROM messages")
EMPTY_THREADS = text(
    "SELECT user_id, id FROM threads WHERE NOT EXISTS (SELECT 1 FROM messages WHERE thread_id = threads.id)"
)
CHECKPOINTS = text(
    "SELECT thread_id FROM checkpoints UNION SELECT thread_id FROM checkpoint_blobs "
    "UNION SELECT thread_id FROM checkpoint_writes"
)


class Message(NamedTuple):
    run_id: str
    role: str
    content: str


async def held(http: httpx.AsyncClient, url: str) -> int:
    """Return how many places of concurrent runs the caller holds."""
    limits = (await http.get(f"{url}/api/me")).raise_for_status().json()["limits"]
    [runs] = [limit for limit in limits if limit["name"] == "runs"]
    return int(runs["limit"] - runs["remaining"])


async def messages(database: AsyncEngine) -> list[Message]:
    async with database.connect() as connection:
        return [Message(*row) for row in await connection.execute(MESSAGES)]


async def empty_threads(database: AsyncEngine) -> list[str]:
    """Return the threads in which nothing is: nobody has asked for one without a question."""
    async with database.connect() as connection:
        return [f"{user}'s thread {id_}" for user, id_ in await connection.execute(EMPTY_THREADS)]


async def checkpoints(database: AsyncEngine) -> set[str]:
    """Return the runs of which there are checkpoints, or writes of one."""
    async with database.connect() as connection:
        return {str(row[0]) for row in await connection.execute(CHECKPOINTS)}


def misplaced(stored: Iterable[Message], answers: Mapping[str, str]) -> list[str]:
    """Return of which runs the thread has not exactly a question and the answer (by run id)."""
    found: dict[str, list[Message]] = {run_id: [] for run_id in answers}
    for message in stored:
        if message.run_id in found:
            found[message.run_id].append(message)
    return [
        f"run {run_id}: its thread has {[(one.role, len(one.content)) for one in those]}"
        for run_id, those in found.items()
        if sorted(one.role for one in those) != ["ai", "human"]
        or any(one.role == "ai" and one.content != answers[run_id] for one in those)
    ]
