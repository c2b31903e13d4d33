"""What a type says of the values that it stands for: its fields, whether it holds messages or text."""

import dataclasses
import typing
from functools import lru_cache
from typing import Annotated, Any, cast, get_args, get_origin

from langchain_core.messages import BaseMessage
from langgraph.graph.message import add_messages
from pydantic import BaseModel, RootModel
from typing_extensions import is_typeddict


def root_of(model: type[BaseModel]) -> Any:
    """Return what a model is a model of: itself, or the root of a RootModel, without annotations."""
    if not issubclass(model, RootModel):
        return model
    return bare(model.model_fields["root"].annotation)


def whole_of(model: type[BaseModel]) -> Any:
    """Return what a model is a model of: itself, or the root of a RootModel."""
    return model.model_fields["root"].rebuild_annotation() if issubclass(model, RootModel) else model


def fields_of(annotation: Any) -> dict[str, tuple[Any, bool]] | None:
    """Return the type of each field, and whether it is required; None for what is no object."""
    return fields_of_type(annotation) if isinstance(annotation, type) else None


@lru_cache(maxsize=256)  # a request asks for its entry's again, and to evaluate a type's hints takes 0.2 ms
def fields_of_type(annotation: type) -> dict[str, tuple[Any, bool]] | None:
    """Return the same of a type."""
    if is_typeddict(annotation):
        hints = typing.get_type_hints(annotation, include_extras=True)
        needed = cast("Any", annotation).__required_keys__
        return {name: (hint, name in needed) for name, hint in hints.items()}
    if issubclass(annotation, BaseModel):
        return {
            name: (field.rebuild_annotation(), field.is_required())
            for name, field in annotation.model_fields.items()
        }
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation, include_extras=True)
        return {
            field.name: (hints[field.name], not_defaulted(field)) for field in dataclasses.fields(annotation)
        }
    return None


def not_defaulted(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def needs(model: type[BaseModel], name: str | None) -> bool:
    """Tell whether a field is required."""
    fields = fields_of(root_of(model)) or {}
    return name is not None and fields.get(name, (None, False))[1]


def bare(annotation: Any) -> Any:
    """Return an annotation without Annotated, Required and their kin."""
    while get_origin(annotation) in (Annotated, typing.Required, typing.NotRequired):
        annotation = get_args(annotation)[0]
    return annotation


def holds_messages(annotation: Any) -> bool:
    """Tell whether a list of messages is among what an annotation allows."""
    if adds_messages(annotation):
        return True
    annotation = bare(annotation)
    if get_origin(annotation) in (list, tuple, typing.get_origin(typing.Sequence[Any])):
        return any(is_message(part) for part in get_args(annotation))
    return any(holds_messages(part) for part in get_args(annotation) if part is not annotation)


def adds_messages(annotation: Any) -> bool:
    """Tell whether it is a channel of a graph that takes messages, whatever its type says."""
    while get_origin(annotation) in (Annotated, typing.Required, typing.NotRequired):
        annotation, *notes = get_args(annotation)
        if any(getattr(note, "func", note) is add_messages for note in notes):
            return True
    return False


def is_message(annotation: Any) -> bool:
    annotation = bare(annotation)
    if isinstance(annotation, type):
        return issubclass(annotation, BaseMessage)
    return any(is_message(part) for part in get_args(annotation))


def may_be_text(annotation: Any) -> bool:
    annotation = bare(annotation)
    return annotation in (str, Any) or str in map(bare, get_args(annotation))
