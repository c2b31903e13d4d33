"""Data of a schema out of a model's answer.

LangChain's packages do this each in its own way. OpenAI's client reads an answer itself where it is told its
form, and then fails on a fenced one, and with an error for each way in which one can be wrong: so it is asked
for the form without being told, and the answer is read here. What the others cannot read is the same failure.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableGenerator, RunnableSequence
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.json import parse_partial_json
from pydantic import BaseModel, ValidationError

from gatehouse.models.errors import AnswerUnusable, ModelCutOff, ModelDeclined
from gatehouse.models.failures import failure_of
from gatehouse.models.judged.judging import finish_reason_of

FENCED = re.compile(r"```[a-zA-Z]*\s*(.*?)\s*```", re.DOTALL)
MOST_FIELDS = 5  # that a message of the log names
UNREADABLE = (OutputParserException, ValidationError, ValueError)

Schema = dict[str, Any] | type


def structured(
    model: BaseChatModel, schema: Schema, *, include_raw: bool, **options: Any
) -> Runnable[Any, Any]:
    """Return what answers with data of `schema`, as the model's own package does it, or better."""
    chain = model.with_structured_output(schema, include_raw=include_raw, **options)
    if include_raw or not isinstance(chain, RunnableSequence):
        return chain
    first = chain.steps[0]
    if not isinstance(first, RunnableBinding) or not is_told_its_form(model, first.kwargs):
        return chain
    return RunnableSequence(asked_for(model, first, schema), reader(schema))


def is_told_its_form(model: BaseChatModel, kwargs: Mapping[str, Any]) -> bool:
    """Tell whether OpenAI's client would read the answer itself."""
    if not type(model).__module__.startswith("langchain_openai.") or "response_format" not in kwargs:
        return False
    chat: Any = model
    return not chat._use_responses_api({**kwargs, **chat.model_kwargs})


def asked_for(model: Any, bound: RunnableBinding[Any, Any], schema: Schema) -> Runnable[Any, Any]:
    """Return the model that is asked for a form of which OpenAI's client knows nothing."""
    kwargs = dict(bound.kwargs)
    form = form_of(kwargs.pop("response_format"), schema)
    body = {**(model.extra_body or {}), **(kwargs.pop("extra_body", None) or {}), "response_format": form}
    return cast("Runnable[Any, Any]", model.bind(**kwargs, extra_body=body))


def form_of(response_format: Any, schema: Schema) -> dict[str, Any]:
    """Return a response format as OpenAI's API takes it."""
    if isinstance(response_format, dict):
        return response_format
    from openai import pydantic_function_tool  # noqa: PLC0415  # takes a second to import

    told = pydantic_function_tool(cast("type[BaseModel]", schema))["function"]
    form = {"name": told["name"], "schema": told["parameters"], "strict": True}
    return {"type": "json_schema", "json_schema": form}


def reader(schema: Schema) -> Runnable[Any, Any]:
    """Return what reads data of `schema` in messages; in a stream, objects of no class as they grow."""
    grows = not is_model(schema)

    def read(messages: Iterator[BaseMessage]) -> Iterator[Any]:
        so_far = SoFar(schema, grows)
        for message in messages:
            yield from so_far.add(message)
        yield from so_far.end()

    async def aread(messages: AsyncIterator[BaseMessage]) -> AsyncIterator[Any]:
        so_far = SoFar(schema, grows)
        async for message in messages:
            for partial in so_far.add(message):
                yield partial
        for whole in so_far.end():
            yield whole

    return RunnableGenerator(read, aread)


class SoFar:
    """An answer that is read while it comes."""

    def __init__(self, schema: Schema, grows: bool) -> None:
        self._schema = schema
        self._grows = grows
        self._message: BaseMessage | None = None
        self._told: Any = None

    def add(self, message: BaseMessage) -> Iterator[Any]:
        """Yield the data as far as it has come, where it has grown."""
        if self._message is None or not isinstance(message, AIMessageChunk):
            self._message = message
        else:
            self._message = cast("BaseMessage", cast("AIMessageChunk", self._message) + message)
        if self._grows and (partial := beginning_of(str(self._message.text))) not in (None, self._told):
            self._told = partial
            yield partial

    def end(self) -> Iterator[Any]:
        """Yield the data when it is whole. Raises what `data_of` does."""
        whole = data_of(cast("AIMessage", self._message), self._schema)
        if self._told is None or whole != self._told:
            yield whole


def beginning_of(text: str) -> Any:
    """Return the object that a text begins to tell; None when there is none yet."""
    start = text.find("{")
    try:
        return parse_partial_json(text[start:]) if start >= 0 else None
    except ValueError:
        return None


def data_of(message: AIMessage, schema: Schema) -> Any:
    """Return the data that an answer tells. Raises ModelDeclined, ModelCutOff or AnswerUnusable."""
    ended = finish_reason_of(message.response_metadata)
    if ended == "refusal":
        raise ModelDeclined("the model refused")
    if ended == "length":
        raise ModelCutOff("its data was cut off")
    value = object_in(str(message.text))
    if is_model(schema):
        try:
            return cast("type[BaseModel]", schema).model_validate(value)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            raise lacking([".".join(map(str, fault["loc"])) for fault in faults]) from None
    needed = convert_to_openai_tool(schema)["function"].get("parameters", {}).get("required", [])
    if missing := [name for name in needed if name not in value]:
        raise lacking(missing)
    return value


def lacking(fields: list[str]) -> AnswerUnusable:
    """Return the failure of data whose fields are not as they should be: their names, and no value."""
    return AnswerUnusable(f"its data does not have its form: {', '.join(fields[:MOST_FIELDS]) or 'at all'}")


def object_in(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is, or has: in a fence, or between words. Raises AnswerUnusable."""
    fenced = FENCED.search(text)
    for candidate in (text, fenced[1] if fenced else "", text[text.find("{") : text.rfind("}") + 1]):
        try:
            value = json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    raise AnswerUnusable("it is no JSON object")


def is_model(schema: Schema) -> bool:
    return isinstance(schema, type) and issubclass(schema, BaseModel)


def read_failure(error: Exception) -> Exception:
    """Return what an error stands for that a chain of a provider's package raised while it read an answer."""
    if isinstance(error, UNREADABLE) and failure_of(error) is None:
        return AnswerUnusable(f"its data cannot be read ({type(error).__name__})")
    return error


def usable(data: Any) -> Any:
    """Return data. Raises AnswerUnusable where there is none: a tool was to be called, and was not."""
    if data is None:
        raise AnswerUnusable("it has no data")
    return data


def reading(call: Callable[[], Any]) -> Any:
    """Return the data that a call returns. Raises AnswerUnusable for what cannot be read."""
    try:
        return usable(call())
    except Exception as error:
        raised = read_failure(error)
        raise raised from (None if raised is error else error)


async def areading(call: Callable[[], Any]) -> Any:
    """Return as `reading` does, of a call that is awaited."""
    try:
        return usable(await call())
    except Exception as error:
        raised = read_failure(error)
        raise raised from (None if raised is error else error)


async def astream_reading(call: Callable[[], AsyncIterator[Any]]) -> AsyncIterator[Any]:
    """Yield as `reading` returns, of a call that streams."""
    told = False
    try:
        async for part in call():
            told = True
            yield part
        if not told:
            usable(None)
    except Exception as error:
        raised = read_failure(error)
        raise raised from (None if raised is error else error)
