"""The schemas of runnables, also those that pydantic alone does not take."""

import types
import typing
from collections import abc
from collections.abc import Hashable
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import typing_extensions
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    MessageLikeRepresentation,
)
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable
from langgraph.pregel import Pregel
from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    RootModel,
    TypeAdapter,
    create_model,
)
from pydantic.errors import PydanticUserError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from typing_extensions import is_typeddict

from gatehouse.registry.shapes.annotations import adds_messages, holds_messages
from gatehouse.runs.sources.unwrapping import first_of

# for types that pydantic does not take; LangChain's for a field that is picked and in no schema
UNTOLD = (PydanticUserError, KeyError)
ANYTHING = ConfigDict(arbitrary_types_allowed=True)
# what LangChain's functions of messages (`trim_messages`, …) import for type checkers alone
UNIMPORTED = {
    **vars(abc),
    "MessageLikeRepresentation": MessageLikeRepresentation,
    "PromptValue": PromptValue,
}
Root = TypeVar("Root")


def input_schema(runnable: Runnable[Any, Any]) -> type[BaseModel]:
    """Return what the runnable takes, as LangServe has it.

    Of a graph whose state is a TypedDict nothing is required: who calls it gives what its first nodes need.
    """
    first = first_of(runnable)
    state = getattr(getattr(first, "builder", None), "input_schema", None)
    if isinstance(first, Pregel) and is_typeddict(state):
        return schema(f"{runnable.get_name()}Input", ported(state, required=False))
    if isinstance(first, Pregel) and adds_messages(state):
        return schema(f"{runnable.get_name()}Input", state)
    try:
        own: Any = runnable.get_input_schema()
    except UNTOLD:
        return schema(f"{runnable.get_name()}Input", Any)
    # langchain-core's way to say of a mapping that what its steps take is not known
    if "root" in own.model_fields and not issubclass(own, RootModel):
        return schema(f"{runnable.get_name()}Input", Any)
    if own.model_rebuild(raise_errors=False, _types_namespace=UNIMPORTED) is False:
        return schema(f"{runnable.get_name()}Input", Any)
    return cast("type[BaseModel]", own)


def output_schema(runnable: Runnable[Any, Any]) -> type[BaseModel]:
    """Return what the runnable returns, as LangServe has it."""
    try:
        return cast("type[BaseModel]", runnable.get_output_schema())
    except UNTOLD:
        return schema(f"{runnable.get_name()}Output", Any)


@dataclass(frozen=True)
class ToldAs:
    """Marks what is any value as documented like another type."""

    of: Any

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(TypeAdapter(self.of).core_schema)


class Told(RootModel[Root]):
    """What a runnable returns, in a schema that LangServe's chat playground reads.

    It looks for a message by `enum`, where pydantic now writes `const`, and among alternatives only.
    """

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        told = super().model_json_schema(*args, **options)
        kind = told.get("properties", {}).get("type", {})
        if isinstance(kind, dict) and kind.get("const") in ONE_MESSAGE:  # a stream has chunks of it
            told = {**TypeAdapter(AIMessage | AIMessageChunk).json_schema(), "title": told["title"]}
        return cast("dict[str, Any]", with_enums(told))


ONE_MESSAGE = ("ai", "AIMessageChunk")


def with_enums(told: Any) -> Any:
    """Return a JSON Schema that says `enum` beside every `const`."""
    if isinstance(told, list):
        return list(map(with_enums, told))
    if not isinstance(told, dict):
        return told
    within = {name: with_enums(item) for name, item in told.items()}
    return {**within, "enum": [told["const"]]} if isinstance(told.get("const"), str) else within


def told_schema(name: str, of: Any, title: str) -> type[BaseModel]:
    """Return the schema of what is returned: documented like a type, and any value."""
    root: Any = Annotated[Any, ToldAs(of)]
    return create_model(name, __base__=cast("type[BaseModel]", Told[root]), __cls_kwargs__={"title": title})


def schema(name: str, of: Any, title: str | None = None) -> type[BaseModel]:
    """Return a type as a model: itself, or a RootModel of it."""
    if isinstance(of, type) and issubclass(of, BaseModel):
        return of
    root: Any = portable(of)
    kwargs = {"title": title} if title else {}
    return create_model(name, __base__=cast("type[BaseModel]", RootModel[root]), __cls_kwargs__=kwargs)


def portable(annotation: Any) -> Any:
    """Return an annotation as pydantic wants it: any message, and TypedDicts of `typing_extensions`."""
    if typing.is_typeddict(annotation):
        return ported(annotation)
    # pydantic would make a BaseMessage and no more of the one, and leave a dict of the other as it is
    if annotation in (BaseMessage, MessageLikeRepresentation):
        return AnyMessage
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        untyped = adds_messages(annotation) and not holds_messages(arguments[0])
        return Annotated[(list[AnyMessage] if untyped else portable(arguments[0]), *arguments[1:])]
    changed, origin = tuple(map(portable, arguments)), get_origin(annotation)
    if origin is abc.Iterable:  # which pydantic would validate only while it is gone through
        return list[changed]  # type: ignore[valid-type]  # at run time
    return annotation if changed == arguments else of_parts(origin, changed)


def of_parts(origin: Any, parts: tuple[Any, ...]) -> Any:
    """Return a generic type of other parts."""
    return Union[parts] if origin in (Union, types.UnionType) else origin[parts]  # noqa: UP007  # of any number


def ported(of: Any, required: bool = True) -> Any:
    """Return the same TypedDict, made by `typing_extensions`; `required` says whether anything may be."""
    hints = typing.get_type_hints(of, include_extras=True)
    fields = {
        name: portable(hint)
        if required and name in of.__required_keys__
        else typing_extensions.NotRequired[portable(unmarked(hint))]
        for name, hint in hints.items()
    }
    make: Any = typing_extensions.TypedDict
    made = make(of.__name__, fields)
    made.__pydantic_config__ = ANYTHING
    return made


def unmarked(hint: Any) -> Any:
    """Return a field's type without its Required or NotRequired."""
    return get_args(hint)[0] if get_origin(hint) in (typing.Required, typing.NotRequired) else hint


def classes_in(annotation: Any, seen: frozenset[Any] = frozenset()) -> set[type]:
    """Return the classes of models, dataclasses and enumerations that an annotation is made of."""
    if annotation in seen:
        return set()
    seen |= {annotation}
    parts = [*get_args(annotation)] if get_origin(annotation) is not None else []
    own: set[type] = set()
    if isinstance(annotation, type) and not parts:
        if issubclass(annotation, BaseModel | Enum) or is_dataclass(annotation):
            own = {annotation}
        parts = list(hints_of(annotation).values())
    return own.union(*(classes_in(part, seen) for part in parts if isinstance(part, Hashable)))


def hints_of(of: type) -> dict[str, Any]:
    """Return the types of the fields of a TypedDict, a model or a dataclass; none of any other class."""
    if not (is_typeddict(of) or issubclass(of, BaseModel) or is_dataclass(of)):
        return {}
    try:
        return typing.get_type_hints(of)
    except (NameError, TypeError):  # a name that is only there for type checkers
        return {}
