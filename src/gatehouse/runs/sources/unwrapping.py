"""What stands inside LangChain's wrappers of a runnable."""

from collections.abc import Iterator
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig, RunnableParallel, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs
from langgraph.pregel import Pregel


def unwrapped(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return the runnable inside bindings: `bind`, `with_config`, `with_types`, `with_retry`."""
    while isinstance(runnable, RunnableBindingBase):
        runnable = runnable.bound
    return runnable


def parts_of(runnable: Runnable[Any, Any]) -> Iterator[Runnable[Any, Any]]:
    """Yield the runnable and all that it is put together from, as far as LangChain's own classes show."""
    inside = unwrapped(runnable)
    yield inside
    if isinstance(inside, RunnableSequence):
        parts = inside.steps
    elif isinstance(inside, RunnableParallel):
        parts = list(inside.steps__.values())
    else:
        return
    for part in parts:
        yield from parts_of(part)


def has_graph(runnable: Runnable[Any, Any]) -> bool:
    """Tell whether a graph is among its parts: what that streams does not add up to what it returns."""
    return any(isinstance(part, Pregel) for part in parts_of(runnable))


def bound_config(runnable: Runnable[Any, Any], config: RunnableConfig) -> RunnableConfig:
    """Return the config under which what is inside the bindings runs."""
    while isinstance(runnable, RunnableBindingBase):
        config = merge_configs(runnable.config, config)
        runnable = runnable.bound
    return config
