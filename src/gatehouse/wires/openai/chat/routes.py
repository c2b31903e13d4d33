"""OpenAI's Chat Completions over runs: https://platform.openai.com/docs/api-reference/chat."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from gatehouse.plain_json import json_bytes
from gatehouse.problems.approvals import ApprovalRequired
from gatehouse.problems.errors import BadRequest, Conflict, InsufficientScope, NotFound, Unauthenticated
from gatehouse.registry.model_entry import model_entry
from gatehouse.services import services_of
from gatehouse.web.dependencies import CurrentPrincipal, json_body
from gatehouse.web.request_state import admission_of
from gatehouse.wires import sse
from gatehouse.wires.answers import completed
from gatehouse.wires.leaving import while_connected
from gatehouse.wires.openai.asking import (
    THREAD_HEADER,
    IdempotencyKey,
    ThreadName,
    configured_by,
    input_of,
    thread_named,
)
from gatehouse.wires.openai.chat.answers import ChatAnswer, chat_answer, waiting
from gatehouse.wires.openai.chat.projection import ChatChunks
from gatehouse.wires.openai.chat.request import ChatCompletion, bound_by, refuse_unsupported
from gatehouse.wires.openai.messages import in_langchains
from gatehouse.wires.openai.models import model_named
from gatehouse.wires.projection import followed
from gatehouse.wires.questions import Key, Question, begin, refuse_without_a_model

Task = Annotated[
    str | None, Header(description="of Open WebUI, as {{TASK}}: not a chat's question, but one about a chat")
]
ANSWERING = {
    **BadRequest.schema(),
    **InsufficientScope.schema(),
    **NotFound.schema(),
    **Conflict.schema(),
    200: {"model": ChatAnswer, "content": {"text/event-stream": {"schema": {"type": "string"}}}},
}

router = APIRouter(prefix="/v1", tags=["OpenAI"], responses=Unauthenticated.schema())


@router.post("/chat/completions", responses=ANSWERING, dependencies=[Depends(json_body)])
async def chat_completion(
    request: Request,
    principal: CurrentPrincipal,
    body: ChatCompletion,
    idempotency_key: IdempotencyKey = None,
    x_thread_id: ThreadName = None,
    x_openwebui_task: Task = None,
) -> Response:
    """Answer a chat, in one piece or as chunks.

    The client holds the conversation, and nothing of it is kept; or a thread is named, which the server
    holds: then of the messages only the user's last one is taken. What a user interface asks beside a chat,
    as a title for it, the chat model alone answers.
    """
    services = services_of(request)
    entry = model_named(services, principal, body.model)
    refuse_unsupported(body, entry)
    thread = "" if x_openwebui_task else thread_named(x_thread_id, body.metadata or {})
    answering = replace(model_entry(), scope=entry.required_scope) if x_openwebui_task else entry
    if idempotency_key is None:
        refuse_without_a_model(services, answering.path)
    question = Question(
        entry=answering,
        value=input_of(answering, in_langchains(body.messages), in_thread=bool(thread), param="messages"),
        configurable=configured_by(answering, body.model_extra or {}),
        bound=bound_by(body, entry),
        named_thread=thread,
        in_thread=bool(thread),
        grace=None if thread else 0,  # nobody can come back to read on
    )
    asked = {"chat": body.model_dump(), "thread": thread}
    key = Key(idempotency_key, asked) if idempotency_key else None
    run = (await begin(services, principal, question, key, admission_of(request))).run
    about = {"x-run-id": run.id, **({THREAD_HEADER: run.thread_id} if run.thread_id else {})}
    if body.stream:
        chunks = ChatChunks(run, entry.name, include_usage=body.includes_usage)
        records = followed(services, principal, run)
        return sse.event_stream(run.id, records, chunks, services.settings.send_timeout, headers=about)
    try:
        complete = await while_connected(request, completed(run, services.runs.view(run.id)))
    except ApprovalRequired:
        complete = waiting(await services.runs.get(principal, run.id), await services.runs.so_far(run.id))
    return Response(
        json_bytes(chat_answer(run, entry.name, complete).model_dump()), 200, about, "application/json"
    )
