"""What a request for a response asks: of which entry, with which input, after which answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatehouse.identity.principal import WRITE_THREADS, Principal
from gatehouse.problems.errors import Conflict, InsufficientScope, NotFound
from gatehouse.registry.entry import ServedEntry
from gatehouse.services import Services
from gatehouse.threads.of_runs import go_on_after
from gatehouse.wires.openai.asking import configured_by, input_of, thread_named
from gatehouse.wires.openai.errors import InvalidValue, UnsupportedParameter
from gatehouse.wires.openai.responses.input import in_langchains, items_of
from gatehouse.wires.openai.responses.outputs import are_outputs, with_calls
from gatehouse.wires.openai.responses.request import ResponseRequest
from gatehouse.wires.openai.responses.resource import ASKED, asked_by, named_by
from gatehouse.wires.openai.tools import Bound, bound_schema, bound_tools
from gatehouse.wires.questions import Question

STILL_ANSWERING = "The previous response is not complete: wait for it."
NO_SUCH_RESPONSE = "There is no such response."


async def question_of(
    services: Services, principal: Principal, entry: ServedEntry, body: ResponseRequest, thread: str | None
) -> Question:
    """Return the question that a request asks of an entry; `thread` is the header's name of one.

    Raises ApiError.
    """
    named = thread_of(body, thread)
    items = items_of(body.input)
    messages: Sequence[Mapping[str, Any]] = in_langchains(items)
    thread_id, forks = await previous(services, principal, body.previous_response_id)
    in_thread = bool(named or thread_id)
    if thread_id and entry.client_tools and are_outputs(messages):
        run_id, _ = named_by(body.previous_response_id or "")
        instructions = body.instructions or ""
        messages, thread_id, forks = await with_calls(services, principal, run_id, messages, instructions)
        in_thread = False
    elif body.instructions:
        messages = [{"type": "system", "content": body.instructions}, *messages]
    return Question(
        entry=entry,
        value=input_of(entry, messages, in_thread=in_thread, param="input"),
        configurable=configured_by(entry, body.model_extra or {}),
        thread_id=thread_id,
        named_thread=named,
        in_thread=body.stored,
        forks=forks,
        bound=bound_by(body, entry),
        kept={ASKED: asked_by(body.model_dump(), items, background=bool(body.background), model=entry.name)},
        grace=grace_of(services, body),
    )


def thread_of(body: ResponseRequest, header: str | None) -> str:
    """Return the client's name of the thread; empty for none. Raises InvalidValue."""
    named = thread_named(header or body.named_thread or None, body.metadata or {})
    if named and body.previous_response_id:
        raise InvalidValue("previous_response_id", "It names the conversation already: name no other.")
    if named and not body.stored:
        raise InvalidValue("store", "What is said in a conversation is stored.")
    return named


def grace_of(services: Services, body: ResponseRequest) -> float | None:
    """Return for how many seconds a response goes on without a reader; None: as the settings say."""
    if body.background:
        return services.settings.run_deadline
    return None if body.stored else 0


def bound_by(body: ResponseRequest, entry: ServedEntry) -> Bound:
    """Return what the request binds to a model that is served alone. Raises UnsupportedParameter."""
    tools = bound_tools(entry, body.functions, body.choice)
    schema = bound_schema(entry, body.format, "text.format")
    if tools and schema:
        raise UnsupportedParameter("text.format", "Give tools or a json_schema, not both.")
    return tools | schema


async def previous(
    services: Services, principal: Principal, response_id: str | None
) -> tuple[str | None, str]:
    """Return the thread of a previous response, and the question in whose place one asks after it.

    Raises NotFound, also for another's, Conflict while it is not complete, and InsufficientScope.
    """
    if response_id is None:
        return None, ""
    if not principal.may(WRITE_THREADS):
        raise InsufficientScope(WRITE_THREADS)
    run_id, _ = named_by(response_id)
    try:
        return await go_on_after(services.engine, principal, run_id)
    except NotFound:
        try:
            run = await services.runs.get(principal, run_id)
        except NotFound:
            raise NotFound(NO_SUCH_RESPONSE, param="previous_response_id") from None
    if run.finished:
        raise NotFound(NO_SUCH_RESPONSE, param="previous_response_id")
    raise Conflict(STILL_ANSWERING, param="previous_response_id")


def input_items(run_id: str, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the items that were asked, each with an id."""
    return [
        {"id": f"in_{run_id}_{number}", "status": "completed", **item} for number, item in enumerate(items)
    ]
