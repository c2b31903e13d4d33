"""What a LangServe client may send: parsed, bounded and normalised before LangServe sees it.

LangServe answers several of these with a 500 or takes them in: see the cases in the tests.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from gatehouse.auth.browser.origin import media_type
from gatehouse.plain_json import json_bytes
from gatehouse.problems.errors import InvalidInput, UnsupportedMediaType
from gatehouse.problems.faults import invalid_input
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.taking import configured, taken
from gatehouse.settings import Settings
from gatehouse.wires.langserve.config_in_path import config_in_path

MAX_DEPTH = 64
Tag = Annotated[str, Field(max_length=200)]
Filter = Annotated[list[str], Field(max_length=100)] | None
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client says beside an input: its thread, and what its entry lets it say of the config."""

    thread_id: str | None
    client: Mapping[str, Any]


class Config(BaseModel):
    """The part of a RunnableConfig that a client may send."""

    configurable: dict[str, Any] = {}
    tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    metadata: Annotated[dict[str, Any], Field(max_length=50)] | None = None

    def over(self, other: "Config") -> "Config":
        """Return both as one, as LangChain merges configs: this one's values win, tags are those of both."""
        return Config(
            configurable={**other.configurable, **self.configurable},
            tags=sorted({*(other.tags or ()), *(self.tags or ())}),
            metadata={**(other.metadata or {}), **(self.metadata or {})},
        )

    def asked(self, entry: ServedEntry, ignore_unknown: bool) -> Asked:
        """Return what counts of it. Raises InvalidInput."""
        given = dict(self.configurable)
        thread_id = given.pop("thread_id", None)
        if not isinstance(thread_id, str | None):
            raise InvalidInput("A thread_id is text.")
        told: dict[str, Any] = {"tags": self.tags or [], "metadata": self.metadata or {}}
        tracing: dict[str, Any] = {name: told[name] for name in entry.client_traces}
        return Asked(thread_id, {"configurable": configured(entry, given, ignore_unknown), **tracing})


class OneInput(BaseModel):
    """The body of invoke, stream, stream_log and stream_events."""

    input: Any
    config: Config = Field(default_factory=Config)  # pydantic copies what is not made anew, deeply
    include_names: Filter = None
    include_types: Filter = None
    include_tags: Filter = None
    exclude_names: Filter = None
    exclude_types: Filter = None
    exclude_tags: Filter = None


class ManyInputs(BaseModel):
    """The body of batch: one config for all inputs, or a list with one for each."""

    inputs: list[Any]
    config: Config | list[Config] = Field(default_factory=Config)


@dataclass(frozen=True, slots=True)
class Normalised:
    """A body as LangServe may see it, and what is asked with each input, which LangServe would drop.

    Its bytes are made for who reads them: the short ways do not.
    """

    body: Callable[[], bytes]
    asked: list[Asked]
    inputs: list[Any]


async def normalised(request: Request, entry: ServedEntry, endpoint: str, settings: Settings) -> Normalised:
    """Return the body of a POST to `endpoint` of `entry`: checked, with nothing in it that is not taken.

    Raises UnsupportedMediaType or InvalidInput (with the faulty fields).
    """
    body = await parsed(request)
    shared = shared_config(request)
    if endpoint == "batch":
        check_lengths(body, settings.max_batch)
        return batch(validated(ManyInputs, body), shared, entry, settings)
    one = validated(OneInput, body)
    value = taken(entry, one.input, "input")
    asked = merged(shared, one.config).asked(entry, settings.unknown_configurable == "ignore")

    def content() -> bytes:
        return json_bytes({**one.model_dump(exclude={"config"}, exclude_none=True), "input": value})

    return Normalised(content, [asked], [value])


def shared_config(request: Request) -> Config | None:
    """Return the config in a request's path, None without one. Raises BadRequest or InvalidInput."""
    given = config_in_path(request)
    if given is None:
        return None
    refuse_unsafe(given)
    return validated(Config, given, "path")


def merged(shared: Config | None, own: Config) -> Config:
    """Return a body's config, over that of the path where there is one."""
    return own if shared is None else own.over(shared)


def check_lengths(body: Any, most: int) -> None:
    """Raise InvalidInput for a batch that is too long, before anything is made of what is in it."""
    parts = (body.get("inputs"), body.get("config")) if isinstance(body, dict) else ()
    if any(isinstance(part, list) and len(part) > most for part in parts):
        raise InvalidInput(f"A batch may have {most} inputs.")


def batch(many: ManyInputs, shared: Config | None, entry: ServedEntry, settings: Settings) -> Normalised:
    """Return the body of a batch. Raises InvalidInput."""
    configs = many.config if isinstance(many.config, list) else [many.config] * len(many.inputs)
    if len(configs) != len(many.inputs):
        raise InvalidInput("A list of configs needs one config for each input.")
    inputs = [taken(entry, item, "input") for item in many.inputs]
    ignore_unknown = settings.unknown_configurable == "ignore"
    asked = [merged(shared, config).asked(entry, ignore_unknown) for config in configs]
    # one config for each input: the config modifier then runs once an input
    content = {"inputs": inputs, "config": [{} for _ in configs]}
    return Normalised(partial(json_bytes, content), asked, inputs)


async def parsed(request: Request) -> Any:
    """Return the request's JSON: no NaN, lone surrogate, deep nesting or serialised LangChain object.

    Raises UnsupportedMediaType, and InvalidInput for what is no JSON, whatever its type, as LangServe.
    """
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"The body is not valid JSON: {error.msg}.") from None
    if media_type(request) != "application/json":  # a foreign page may send text/plain without asking
        raise UnsupportedMediaType
    refuse_unsafe(body)
    return body


def refuse_unsafe(given: Any) -> None:
    """Raise InvalidInput for JSON that is nested deeply or holds a serialised LangChain object."""
    for value, depth in walk(given):
        if depth > MAX_DEPTH:
            raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH} levels.")
        if isinstance(value, dict) and "lc" in value:
            raise InvalidInput("A serialised LangChain object (a key named lc) is not taken.")


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
