"""Models that do one thing otherwise than their class, and are what it is in everything else.

A wrapper would hide what LangChain's packages make of their own classes: tools, data of a schema, the names
in traces. A subclass of whatever class it is cannot be written down, so it is made.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel

Model = TypeVar("Model", bound=BaseChatModel)


def overriding(model: Model, methods: Mapping[str, Callable[..., Any]]) -> Model:
    """Return a copy of the model with these methods in place of its class's; it shares its clients."""
    copy = model.model_copy()
    object.__setattr__(copy, "__class__", subclass(type(model), methods))
    return copy


def subclass(kind: type[Any], methods: Mapping[str, Callable[..., Any]]) -> type[Any]:
    """Return a subclass with these methods, and the class's own name and place."""
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    metaclass: Any = type(kind)
    made: type[Any] = metaclass(kind.__name__, (kind,), {**names, **methods})
    return made
