"""What is read off a runnable: what it takes and returns, and how something is said to it."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Literal

from langchain_core.load.serializable import Serializable
from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage
from langchain_core.runnables import Runnable
from langserve import CustomUserType
from pydantic import BaseModel, RootModel, TypeAdapter

from gatehouse.registry.shapes.annotations import bare, fields_of, is_message, needs, root_of, whole_of
from gatehouse.registry.shapes.functions import takes_more, takes_text
from gatehouse.registry.shapes.saying import (
    CannotBeSaid,
    Saying,
    as_messages,
    in_langchains_form,
    plain_content,
    saying_of,
)
from gatehouse.registry.shapes.schemas import input_schema, output_schema, schema, told_schema
from gatehouse.runs.conversation.files import with_files
from gatehouse.runs.sources.answers import READ_FIELDS
from gatehouse.runs.sources.steps import is_stepwise
from gatehouse.runs.sources.unwrapping import has_graph

Output = Literal["text", "message", "data"]
MESSAGES = TypeAdapter(list[AnyMessage])


@dataclass(frozen=True, slots=True)
class Shape:
    """Types as LangServe has them: a model of an object, or a RootModel of anything else.

    `name` is the runnable's own, which their titles have.
    `saying` is None for an input that no single text makes. `output` is the kind of what is returned, `order`
    that of its fields; its schema is for the documents, since what is returned is sent as it is.
    `adds_up` says that what its stream yields adds up to that; a graph's updates do not. `sparse`
    says that only what a client has sent reaches the runnable: neither a prompt nor a graph takes None for
    what is missing. `takes_more` says that fields which its schema does not name reach it too.
    """

    input_schema: type[BaseModel]
    output_schema: type[BaseModel]
    saying: Saying | None
    output: Output
    order: Sequence[str]
    adds_up: bool
    sparse: bool
    name: str
    takes_files: bool
    takes_more: bool

    @property
    def answer_field(self) -> str | None:
        """The field of an object that is returned whose text is to be read; None without one."""
        return next((name for name in READ_FIELDS if name in self.order), None)

    def typed(self, value: Any) -> Any:
        """Return JSON as the runnable takes it, messages as such. Raises ValidationError."""
        made = unpacked(self.input_schema.model_validate(value), self.sparse)
        if self.takes_more and isinstance(made, dict) and isinstance(value, dict):
            known = fields_of(root_of(self.input_schema)) or value
            return {**{name: item for name, item in value.items() if name not in known}, **made}
        field = self.saying.field if self.saying and self.saying.kind == "messages" else None
        held = field_of(made, field) if field else None
        if isinstance(held, list) and any(isinstance(item, dict) for item in held):
            return with_field(made, field, MESSAGES.validate_python(held))  # its schema says nothing of them
        return made

    def with_history(self, value: Any, messages: Sequence[BaseMessage]) -> Any:
        """Return a typed input with what was said before it, where it has a place for that."""
        saying = self.saying
        if saying is None:
            return value
        if saying.kind == "text":
            keeps = saying.history is not None and is_object(value)
            return (
                with_field(value, saying.history, [*messages, *(field_of(value, saying.history) or [])])
                if keeps
                else value
            )
        if saying.field is None:
            said = as_messages(value)
            system = [*takewhile(lambda message: isinstance(message, SystemMessage), said)]
            return [*system, *messages, *said[len(system) :]]  # a model takes one in the first place alone
        return with_field(value, saying.field, [*messages, *as_messages(field_of(value, saying.field))])

    def with_files(self, value: Any, files: Sequence[Mapping[str, Any]]) -> Any:
        """Return a typed input with files after what is said, as content blocks."""
        saying, blocks = self.saying, [dict(file) for file in files]
        if saying is None or not self.takes_files:
            return value
        if saying.kind == "text":
            return with_field(value, saying.field, with_files(field_of(value, saying.field), blocks))
        said = as_messages(value if saying.field is None else field_of(value, saying.field))
        last = said[-1].model_copy(update={"content": with_files(said[-1].content, blocks)})
        whole = [*said[:-1], last]
        return whole if saying.field is None else with_field(value, saying.field, whole)

    def said(self, text: str) -> Any:
        """Return the JSON input that says `text`. Raises CannotBeSaid."""
        return self.of_messages([{"type": "human", "content": text}])

    def of_messages(self, messages: Sequence[Mapping[str, Any]]) -> Any:
        """Return the JSON input that the last of the messages is, after the others. Raises CannotBeSaid."""
        saying = self.saying
        if saying is None:
            raise CannotBeSaid("It takes no text: send the whole input.")
        if saying.kind == "messages":
            return list(messages) if saying.field is None else {saying.field: list(messages)}
        *before, last = messages
        text = plain_content(last)
        if before and not self._takes_before():
            raise CannotBeSaid("It takes one message, without those before it.")
        if saying.field is None:
            return text
        told = before or needs(self.input_schema, saying.history)
        return (
            {saying.field: text, saying.history: before} if saying.history and told else {saying.field: text}
        )

    def widened(self, value: Any) -> Any:
        """Return an input of messages in LangChain's form, from the other forms in which they are sent.

        `{"input": text}` in place of the messages is a message; those of OpenAI's form have a `role`.
        """
        saying = self.saying
        if saying is None:
            return value
        field = saying.field if saying.kind == "messages" else saying.history
        if saying.kind == "messages" and self._is_text(value):
            rest = {name: item for name, item in value.items() if name != "input"}
            whole = self.said(value["input"])
            return whole if field is None else {**rest, **whole}
        if field is None:
            return list(map(in_langchains_form, value)) if isinstance(value, list) else value
        if isinstance(value, dict) and isinstance(value.get(field), list | str):
            held = value[field] if isinstance(value[field], list) else [value[field]]
            return {**value, field: list(map(in_langchains_form, held))}
        return value

    def _takes_before(self) -> bool:
        """Tell whether a client may send the messages before a text: its schema has a place for them."""
        history = self.saying.history if self.saying else None
        fields = fields_of(root_of(self.input_schema))
        return history is not None and (fields is None or history in fields)

    def _is_text(self, value: Any) -> bool:
        """Tell whether an input has `input` in place of messages, which is no field of its own."""
        fields = fields_of(root_of(self.input_schema)) or {}
        return isinstance(value, dict) and isinstance(value.get("input"), str) and "input" not in fields


def shape_of(
    runnable: Runnable[Any, Any], name: str, input_type: Any = None, output_type: Any = None
) -> Shape:
    """Return the shape of a runnable; the types given take the place of its own.

    What is no model of its own is named after the entry, since LangServe takes one name for one model, and
    has the title that LangServe gives it, by the runnable's name.
    """
    own = input_schema(runnable)
    given = whole_of(own) if input_type is None else input_type
    taken = schema(f"{name}_input", given, runnable.get_name("Input"))
    returned = whole_of(output_schema(runnable)) if output_type is None else output_type
    told = told_schema(f"{name}_output", returned, runnable.get_name("Output"))
    order, sparse = tuple(fields_of(bare(returned)) or ()), input_type is None
    saying = saying_of(taken, own, takes_text(runnable))
    if saying is not None and is_stepwise(runnable):  # what was said before is no field of its schema
        saying = replace(saying, history=saying.history or "history")
    takes_files = saying is not None and (saying.kind == "messages" or is_stepwise(runnable))
    adds_up, own_name = not has_graph(runnable), runnable.get_name()
    more = sparse and takes_more(runnable)
    return Shape(taken, told, saying, kind_of(returned), order, adds_up, sparse, own_name, takes_files, more)


def kind_of(returned: Any) -> Output:
    """Return what kind of answer a runnable that returns this gives."""
    returned = bare(returned)
    if returned is str:
        return "text"
    return "message" if is_message(returned) or "messages" in (fields_of(returned) or {}) else "data"


def unpacked(model: Any, sparse: bool = False) -> Any:
    """Return a validated input as a runnable takes it, as LangServe does.

    A model that only validation knows of is a dict of its fields, typed; LangChain's own objects stay what
    they are. `sparse` leaves out what was not sent and has no default.
    """
    value = model.root if isinstance(model, RootModel) else model
    if isinstance(value, BaseModel) and not isinstance(value, Serializable | CustomUserType):
        names = [name for name in type(value).model_fields if not (sparse and left_out(value, name))]
        return {name: unpacked(getattr(value, name)) for name in names}
    if isinstance(value, list):  # of what `map` calls its runnable with
        return [unpacked(item) if isinstance(item, RootModel) else item for item in value]
    return value


def is_object(value: Any) -> bool:
    """Tell whether a typed input has fields: a dict, or the state of a graph that is a dataclass."""
    return isinstance(value, dict) or dataclasses.is_dataclass(value)


def field_of(value: Any, name: str | None) -> Any:
    """Return a field of a typed input, None where it has none of the name."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name or "", None)


def with_field(value: Any, name: str | None, item: Any) -> Any:
    """Return a typed input with another value in one of its fields."""
    return (
        {**value, name: item} if isinstance(value, dict) else dataclasses.replace(value, **{str(name): item})
    )


def left_out(model: BaseModel, name: str) -> bool:
    return name not in model.model_fields_set and getattr(model, name) is None
