"""What a LangServe client may send: parsed, bounded and normalised before LangServe sees it.

LangServe answers several of these with a 500 or takes them in: see the cases in the tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from gatehouse.auth.browser.origin import media_type
from gatehouse.problems.errors import BadRequest, InvalidInput, UnsupportedMediaType
from gatehouse.problems.faults import invalid_input
from gatehouse.registry.entry import Entry

MAX_DEPTH = 64
Filter = Annotated[list[str], Field(max_length=100)] | None
Model = TypeVar("Model", bound=BaseModel)


class Configurable(BaseModel):
    """What a client may configure. Everything else is dropped: the identity is the server's."""

    thread_id: str | None = None


class Config(BaseModel):
    """The part of a RunnableConfig that a client may send."""

    configurable: Configurable = Configurable()


class OneInput(BaseModel):
    """The body of invoke, stream, stream_log and stream_events."""

    input: Any
    config: Config = Config()
    include_names: Filter = None
    include_types: Filter = None
    include_tags: Filter = None
    exclude_names: Filter = None
    exclude_types: Filter = None
    exclude_tags: Filter = None


class ManyInputs(BaseModel):
    """The body of batch: one config for all inputs, or a list with one for each."""

    inputs: list[Any]
    config: Config | list[Config] = Config()


@dataclass(frozen=True, slots=True)
class Normalised:
    """A body as LangServe may see it, and the thread of each input, which LangServe would drop."""

    body: bytes
    thread_ids: list[str | None]


async def normalised(request: Request, entry: Entry, endpoint: str, max_batch: int) -> Normalised:
    """Return the body of a POST to `endpoint` of `entry`: checked, with nothing in it that is not taken.

    Raises UnsupportedMediaType, BadRequest (not JSON) or InvalidInput (with the faulty fields).
    """
    body = await parsed(request)
    if endpoint == "batch":
        check_lengths(body, max_batch)
        return batch(validated(ManyInputs, body), entry)
    one = validated(OneInput, body)
    check_input(entry, one.input)
    content = one.model_dump(exclude={"config"}, exclude_none=True)
    return Normalised(orjson.dumps(content), [one.config.configurable.thread_id])


def check_lengths(body: Any, most: int) -> None:
    """Raise InvalidInput for a batch that is too long, before anything is made of what is in it."""
    parts = (body.get("inputs"), body.get("config")) if isinstance(body, dict) else ()
    if any(isinstance(part, list) and len(part) > most for part in parts):
        raise InvalidInput(f"A batch may have {most} inputs.")


def batch(many: ManyInputs, entry: Entry) -> Normalised:
    """Return the body of a batch. Raises InvalidInput."""
    configs = many.config if isinstance(many.config, list) else [many.config] * len(many.inputs)
    if len(configs) != len(many.inputs):
        raise InvalidInput("A list of configs needs one config for each input.")
    for item in many.inputs:
        check_input(entry, item)
    # one config for each input: the config modifier then runs once an input
    content = {"inputs": many.inputs, "config": [{} for _ in configs]}
    return Normalised(orjson.dumps(content), [config.configurable.thread_id for config in configs])


async def parsed(request: Request) -> Any:
    """Return the request's JSON: no NaN, lone surrogate, deep nesting or serialised LangChain object."""
    if media_type(request) != "application/json":  # a foreign page may send text/plain without asking
        raise UnsupportedMediaType
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error.msg}.") from None
    for value, depth in walk(body):
        if depth > MAX_DEPTH:
            raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH} levels.")
        if isinstance(value, dict) and "lc" in value:
            raise InvalidInput("A serialised LangChain object (a key named lc) is not taken.")
    return body


def check_input(entry: Entry, value: Any) -> None:
    """Raise InvalidInput unless `value` is what the entry takes and its messages are all human."""
    model = validated(entry.input_type, value, "input")
    for part in parts_of(model):
        if isinstance(part, BaseMessage) and not isinstance(part, HumanMessage):
            raise InvalidInput("Only human messages are taken: the server owns the rest of the conversation.")


def validated(model: type[Model], value: Any, *location: str) -> Model:
    """Return `value` as `model`. Raises InvalidInput that lists the faulty fields, without their values."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid_input(error, *location) from None
    except Exception:  # langchain-core raises other types for some malformed messages
        raise InvalidInput from None


def walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield every value inside parsed JSON with its depth, without recursion."""
    pending = [(value, 0)]
    while pending:
        current, depth = pending.pop()
        yield current, depth
        if isinstance(current, dict):
            pending += [(item, depth + 1) for item in current.values()]
        elif isinstance(current, list):
            pending += [(item, depth + 1) for item in current]


def parts_of(model: BaseModel) -> Iterator[Any]:
    """Yield every value inside a validated model."""
    pending: list[Any] = [model]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, BaseModel) and not isinstance(current, BaseMessage):
            pending += [getattr(current, name) for name in type(current).model_fields]
        elif isinstance(current, dict):
            pending += current.values()
        elif isinstance(current, list | tuple | set):
            pending += current
