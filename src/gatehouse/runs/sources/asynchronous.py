"""Replaces those parts of a runnable that LangChain does not stream as it calls them."""

import inspect
from typing import Any

from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from langchain_core.runnables.retry import RunnableRetry
from pydantic import BaseModel

from gatehouse.runs.sources.generators import Generating, in_threads, of_one
from gatehouse.runs.sources.retrying import Retrying
from gatehouse.runs.sources.unwrapping import CONTAINERS


def asynchronous(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return the runnable with its generators, and what tries again, so that they can be streamed too.

    Wherever they stand in it, as far as LangChain's own classes show.
    """
    if type(runnable) is RunnableGenerator:
        transform = getattr(runnable, "_atransform", None) or in_threads(runnable._transform)  # noqa: SLF001  # it has no other
        return Generating(transform, name=runnable.name)
    if type(runnable) is RunnableLambda and inspect.isgeneratorfunction(getattr(runnable, "func", None)):
        return Generating(of_one(runnable), name=runnable.get_name())
    if type(runnable).__module__.startswith(CONTAINERS) and isinstance(runnable, BaseModel):
        fields = {name: getattr(runnable, name) for name in type(runnable).model_fields}
        changed = {name: new for name, value in fields.items() if (new := replaced(value)) is not value}
        runnable = runnable.model_copy(update=changed) if changed else runnable
    if type(runnable) is RunnableRetry:
        return Retrying(**{name: getattr(runnable, name) for name in type(runnable).model_fields})
    return runnable


def replaced(value: Any) -> Any:
    """Return what a field holds with its runnables replaced: itself where none of them is."""
    if isinstance(value, Runnable):
        return asynchronous(value)
    if isinstance(value, dict):
        new = {name: replaced(item) for name, item in value.items()}
        return new if any(new[name] is not value[name] for name in value) else value
    if type(value) in (list, tuple):
        parts = [replaced(item) for item in value]
        return (
            type(value)(parts)
            if any(one is not old for one, old in zip(parts, value, strict=True))
            else value
        )
    return value
