"""Which checkpoints a graph keeps, and what they tell of a run that was begun before."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from gatehouse.runs.continuing import pending_in
from gatehouse.runs.conversation.places import GOING_ON, STATE, StatePlace, state_key
from gatehouse.runs.sources.answers import messages_in

Graph = Pregel[Any, Any, Any, Any]


def checkpointed(config: RunnableConfig, keeps: bool) -> RunnableConfig:
    """Return the config under which a graph keeps its checkpoints: those of this run alone, or of its thread.

    A thread's are found by its owner's ids too, whatever anybody calls a thread. The run goes on from the
    checkpoint that its question follows, on whatever branch that is.
    """
    configurable = dict(config.get("configurable", {}))
    place: StatePlace | None = configurable.pop(STATE, None)
    configurable.pop(GOING_ON, None)
    thread_id = configurable.get("thread_id")
    configurable["thread_id"] = configurable.get("run_id", "")
    if keeps and place is not None and thread_id:
        owner = configurable["tenant_id"], configurable["user_id"]
        configurable["thread_id"] = state_key(*owner, thread_id, place.root)
        if place.checkpoint_id:
            configurable["checkpoint_id"] = place.checkpoint_id
    return {**config, "configurable": configurable}


def newest(config: RunnableConfig) -> RunnableConfig:
    """Return the config of the newest checkpoint, whatever it follows."""
    rest = {name: value for name, value in config["configurable"].items() if name != "checkpoint_id"}
    return {**config, "configurable": rest}


async def checkpoint_of(graph: Graph, config: RunnableConfig) -> str:
    """Return the id of the newest checkpoint, from which the next question of the thread goes on."""
    state = await graph.aget_state(newest(config))
    return str(state.config["configurable"].get("checkpoint_id", ""))


async def begun(graph: Graph, config: RunnableConfig) -> bool:
    """Tell whether an earlier attempt at this run has left a checkpoint."""
    configurable = config["configurable"]
    if not graph.checkpointer or configurable.get("attempt", 1) == 1:
        return False
    state = await graph.aget_state(newest(config))
    return state.created_at is not None and (state.metadata or {}).get("run_id") == configurable.get("run_id")


async def pending(graph: Graph, config: RunnableConfig) -> frozenset[str]:
    """Return the ids of the tool calls that the newest checkpoint has no answers of."""
    return pending_in(messages_in((await graph.aget_state(config)).values) or ())


def durability_of(graph: Graph) -> Any:
    """Return when checkpoints are written: a tool call that is done, before the next step begins."""
    return "sync" if graph.checkpointer else None
