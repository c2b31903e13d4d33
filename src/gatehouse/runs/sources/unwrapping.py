"""What stands inside LangChain's wrappers of a runnable."""

import inspect
from collections.abc import Iterator
from typing import Any

from langchain_core.output_parsers import BaseCumulativeTransformOutputParser
from langchain_core.runnables import (
    Runnable,
    RunnableConfig,
    RunnableLambda,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langchain_core.runnables.base import RunnableBindingBase
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore
from pydantic import BaseModel

from gatehouse.runs.sources.merging import merged

CONTAINERS = "langchain_core.runnables"  # where the classes are that runnables are put together with


def unwrapped(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return the runnable inside bindings: `bind`, `with_config`, `with_types`, `with_retry`."""
    while isinstance(runnable, RunnableBindingBase):
        runnable = runnable.bound
    return runnable


def parts_of(runnable: Runnable[Any, Any]) -> Iterator[Runnable[Any, Any]]:
    """Yield the runnable and all that it is put together from, as far as LangChain's own classes show."""
    inside = unwrapped(runnable)
    yield inside
    if type(inside).__module__.startswith(CONTAINERS) and isinstance(inside, BaseModel):
        for name in type(inside).model_fields:
            for part in runnables_in(getattr(inside, name)):
                yield from parts_of(part)


def runnables_in(value: Any) -> Iterator[Runnable[Any, Any]]:
    """Yield the runnables that a field holds: as it is, in a list, by name, or each with its condition."""
    if isinstance(value, Runnable):
        yield value
    elif isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from runnables_in(item)


def has_graph(runnable: Runnable[Any, Any]) -> bool:
    """Tell whether a graph is among its parts: what that streams does not add up to what it returns."""
    return any(isinstance(part, Pregel) for part in parts_of(runnable))


def may_return_graph(runnable: Runnable[Any, Any]) -> bool:
    """Tell whether its last step is a function that refers to a graph: LangChain runs what it returns.

    A generator returns none: what it yields is the stream.
    """
    last = last_of(runnable)
    if not isinstance(last, RunnableLambda) or inspect.isasyncgenfunction(getattr(last, "afunc", None)):
        return False
    return any(map(has_graph, last.deps))


def ends_in_parser(runnable: Runnable[Any, Any]) -> bool:
    """Tell whether its last step is a parser that tells what it has read so far, such as one of JSON."""
    return isinstance(last_of(runnable), BaseCumulativeTransformOutputParser)


def first_of(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return the step that takes what the runnable takes; of one with a type of its own it is itself."""
    first = runnable
    while True:
        if isinstance(first, RunnableBindingBase) and first.custom_input_type is None:
            first = first.bound
        elif isinstance(first, RunnableSequence):
            first = first.first
        elif isinstance(first, RunnableWithFallbacks):
            first = first.runnable
        else:
            return first


def own_step_limit(runnable: Runnable[Any, Any]) -> int | None:
    """Return the `recursion_limit` that a graph was given where it was made, None without one."""
    inside = unwrapped(runnable)
    graph = getattr(inside, "graph", inside)
    if not isinstance(graph, Pregel):
        return None
    return merged(graph.config, bound_config(runnable, {})).get("recursion_limit")


def last_of(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    last = unwrapped(runnable)
    while isinstance(last, RunnableSequence):
        last = unwrapped(last.last)
    return last


def bound_config(runnable: Runnable[Any, Any], config: RunnableConfig) -> RunnableConfig:
    """Return the config under which what is inside the bindings runs."""
    while isinstance(runnable, RunnableBindingBase):
        config = merged(runnable.config, config)
        runnable = runnable.bound
    return config


def store_of(runnable: Runnable[Any, Any]) -> BaseStore | None:
    """Return the store that a graph was compiled with: where it is handed a runtime, it takes that one's."""
    graphs = (part for part in parts_of(runnable) if isinstance(part, Pregel))
    return next((graph.store for graph in graphs if graph.store is not None), None)
