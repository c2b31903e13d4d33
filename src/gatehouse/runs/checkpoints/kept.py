"""Which checkpoints of an agent are kept: none before its model has called a tool, none of its answer."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from gatehouse.runs.conversation.places import is_state_key
from gatehouse.runs.sources.answers import MESSAGES

INTERRUPT = "__interrupt__"  # LangGraph's channel of what a task asks
Kept = Callable[[], Awaitable[Any]]

FIRST_STEP = 1  # of a graph's nodes; LangGraph stores the input as -1 and 0


class FromFirstToolCall(BaseCheckpointSaver[Any]):
    """Keeps nothing of a run whose model has not called a tool yet, unless it waits for a person.

    A later attempt then asks the model again, as it does for a chain. To keep it would take five writes for
    every answer, three before its first token, and LangGraph's savers write one at a time in a process.
    The answer with which a run ends is not kept either: its end follows at once, and deletes all of it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # by run of which nothing is kept: what would be since its last step, in case it waits for a person.
        # What another process takes over stays: a reference to its last checkpoint
        self._unkept: dict[str, list[Kept]] = {}
        self._last: dict[str, list[Kept]] = {}  # by run: the same of the step that may be its last
        self._written: set[str] = set()  # runs that this process keeps something of

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        placed = config["configurable"]
        run_id = placed["thread_id"]
        begins = placed.get("attempt") == 1 and run_id == placed.get("run_id")
        if begins and run_id not in self._written:  # there is nothing to be found
            return None
        return await super().aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        placed = config["configurable"]
        run_id, namespace = placed["thread_id"], placed["checkpoint_ns"]
        kept = {"thread_id": run_id, "checkpoint_ns": namespace, "checkpoint_id": checkpoint["id"]}
        if namespace == "" and not is_state_key(run_id):  # a graph inside a node is kept with its whole
            if placed.get("attempt", 1) == 1 and not is_worth_keeping(checkpoint, metadata):
                self._unkept[run_id] = []
            elif self._unkept.pop(run_id, None) is not None:
                new_versions = checkpoint["channel_versions"]  # of the steps before this one, too
            elif is_last(checkpoint["channel_values"], checkpoint.get("updated_channels")):
                self._last.pop(run_id, None)
                return {"configurable": kept}
            await self._keep(self._last, run_id)
        if run_id in self._unkept:
            versions = checkpoint["channel_versions"]
            self._unkept[run_id].append(partial(super().aput, config, checkpoint, metadata, versions))
            return {"configurable": kept}
        self._written.add(run_id)
        return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        placed = config["configurable"]
        run_id = placed["thread_id"]
        keep = partial(super().aput_writes, config, writes, task_id, task_path)
        if run_id in self._unkept:
            self._unkept[run_id].append(keep)
        elif placed["checkpoint_ns"] == "" and not is_state_key(run_id) and is_last(dict(writes)):
            self._last.setdefault(run_id, []).append(keep)
        else:
            self._written.add(run_id)
            await keep()
        if any(channel == INTERRUPT for channel, _ in writes):
            await self._keep(self._unkept, run_id)
            await self._keep(self._last, run_id)

    async def adelete_thread(self, thread_id: str) -> None:
        self._last.pop(thread_id, None)
        self._written.discard(thread_id)
        if thread_id in self._unkept:
            del self._unkept[thread_id]
        else:
            await super().adelete_thread(thread_id)

    async def _keep(self, held: dict[str, list[Kept]], run_id: str) -> None:
        """Keep after all what was held of a run."""
        for keep in held.pop(run_id, ()):
            self._written.add(run_id)
            await keep()


def is_worth_keeping(checkpoint: Checkpoint, metadata: CheckpointMetadata) -> bool:
    """Tell whether a later attempt would repeat more than the first question to the model without it."""
    if metadata["step"] < FIRST_STEP:
        return False
    messages = checkpoint["channel_values"].get(MESSAGES)
    if metadata["step"] > FIRST_STEP or not messages:
        return True
    return not isinstance(messages[-1], AIMessage) or bool(messages[-1].tool_calls)


def is_last(values: Mapping[str, Any], written: Collection[str] | None = None) -> bool:
    """Tell whether values of channels end with an answer, and nothing of what was `written` goes on.

    A graph goes on by channels of its own, as `branch:to:tools`. Without `written` it is all of the values.
    """
    channels = values.keys() if written is None else written
    if MESSAGES not in channels or any(":" in channel or channel.startswith("__") for channel in channels):
        return False
    said = values.get(MESSAGES)
    last = said[-1] if isinstance(said, list) and said else said
    return isinstance(last, AIMessage) and not (last.tool_calls or last.invalid_tool_calls)


class SqliteCheckpoints(FromFirstToolCall, AsyncSqliteSaver):
    """In a file of SQLite, whose writes are one errand each: a run that is stopped leaves it no half."""

    async def left_over(self, before: str, most: int) -> list[tuple[str, str]]:
        """Return the runs with a smaller id whose checkpoints are still there; a file knows no tenants."""
        query = (
            "SELECT DISTINCT thread_id, '' FROM checkpoints WHERE thread_id < ? "
            "AND json_extract(CAST(metadata AS TEXT), '$.run_id') = thread_id LIMIT ?"
        )
        async with self.lock, self.conn.execute(query, (before, most)) as cursor:
            return [(str(run_id), str(tenant)) for run_id, tenant in await cursor.fetchall()]
