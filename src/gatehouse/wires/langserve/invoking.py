"""Answers `/stream`, and `/invoke` and `/batch` of text, as LangServe does, at our own cost.

LangServe's handler parses the body again, checks the input again, merges configs, and makes a model of the
response and plain values of the model. The route has checked the body, the config is the principal's, and
text needs no model: what is left is the call, and the same bytes (test_langserve_text.py).
"""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from langchain_core.utils.uuid import uuid7
from langserve.version import __version__

from gatehouse.problems.errors import InsufficientScope
from gatehouse.registry.entry import ServedEntry
from gatehouse.services import services_of
from gatehouse.web.dependencies import principal_of
from gatehouse.wires.event_stream import EventStream
from gatehouse.wires.langserve.config import posted_of, rebuild_config
from gatehouse.wires.langserve.feedback_tokens import tokens_of
from gatehouse.wires.langserve.serializing import SERIALIZER
from gatehouse.wires.langserve.served import ServedRunnable
from gatehouse.wires.langserve.streaming import streamed

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

OF_TEXT = {"type", "title", "description"}  # what a schema may say of text that may be any


def short_ways(entry: ServedEntry) -> Mapping[str, Handler]:
    """Return what answers an entry's routes in place of LangServe's handlers, by the end of their path."""
    served = ServedRunnable(entry)
    ways = {"stream": stream_begun}
    if answers_in_text(entry):
        ways |= {"invoke": invoked, "batch": invoked_together}
    return {endpoint: partial(way, entry=entry, served=served) for endpoint, way in ways.items()}


def answers_in_text(entry: ServedEntry) -> bool:
    """Tell whether an entry declares that it returns text, whatever text that is."""
    schema = entry.shape.output_schema.model_json_schema()
    return schema.get("type") == "string" and schema.keys() <= OF_TEXT and not entry.include_callback_events


async def invoked(request: Request, entry: ServedEntry, served: ServedRunnable) -> Response:
    """Return LangServe's response to an `/invoke` that was checked. Raises ApiError."""
    check_scope(request, entry)
    config = told(request, "invoke", await rebuild_config({}, request))
    output = text_of(entry, await served.ainvoke(None, config))
    return JSONResponse({"output": output, "metadata": metadata_of(config)})


async def invoked_together(request: Request, entry: ServedEntry, served: ServedRunnable) -> Response:
    """Return LangServe's response to a `/batch` that was checked. Raises ApiError."""
    check_scope(request, entry)
    inputs = [None] * len(posted_of(request).inputs)  # the calls have them
    made = [await rebuild_config({}, request) for _ in inputs]
    # as LangServe, which gives each run of a batch an id of its own
    configs = [told(request, "batch", {**one, "run_id": uuid7()}) for one in made]
    outputs = [text_of(entry, output) for output in await served.abatch(inputs, configs)]
    about = [metadata_of(config) for config in configs]
    run_ids = [each["run_id"] for each in about]
    return JSONResponse({"output": outputs, "metadata": {"responses": about, "run_ids": run_ids}})


async def stream_begun(request: Request, entry: ServedEntry, served: ServedRunnable) -> Response:
    """Return LangServe's response to a `/stream` that was checked. Raises ApiError."""
    check_scope(request, entry)
    config = told(request, "stream", await rebuild_config({}, request))
    services = services_of(request)
    frames = streamed(served.chunks_together(config), config["run_id"], tokens_of(services, entry))
    return EventStream(frames, services.settings.send_timeout)


def check_scope(request: Request, entry: ServedEntry) -> None:
    """Raise InsufficientScope for a principal who may not ask this entry."""
    if not principal_of(request).may(entry.required_scope):
        raise InsufficientScope(entry.required_scope)


def told(request: Request, endpoint: str, config: dict[str, Any]) -> Any:
    """Return a run's config with what LangServe tells traces of the request that began it."""
    about = {
        "__useragent": request.headers.get("user-agent"),
        "__langserve_version": __version__,
        "__langserve_endpoint": endpoint,
    }
    return {**config, "metadata": about}


def text_of(entry: ServedEntry, output: Any) -> Any:
    """Return an output as JSON. Raises ValidationError, as LangServe's model, for one that is no text."""
    entry.shape.output_schema.model_validate(output)
    return SERIALIZER.dumpd(output)


def metadata_of(config: dict[str, Any]) -> dict[str, Any]:
    return {"run_id": str(config["run_id"]), "feedback_tokens": []}
