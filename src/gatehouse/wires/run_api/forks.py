"""A thread's question, edited or asked again: its run begins a branch beside what was said."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gatehouse.identity.principal import WRITE_THREADS, Principal
from gatehouse.problems.errors import Conflict, InsufficientScope, InvalidInput, NotFound, Unauthenticated
from gatehouse.problems.faults import StrictModel
from gatehouse.runs.lifecycle.turns import Multitask
from gatehouse.services import Services, services_of
from gatehouse.threads.store import Question
from gatehouse.web.dependencies import CurrentPrincipal, requires
from gatehouse.web.request_state import admission_of
from gatehouse.wires.questions import ChatRequest, Name, start
from gatehouse.wires.run_api.models import RunState
from gatehouse.wires.run_api.routes import IdempotencyKey

router = APIRouter(prefix="/api/threads", tags=["threads"], responses=Unauthenticated.schema())

REFUSALS = {**InsufficientScope.schema(), **NotFound.schema(), **Conflict.schema(), **InvalidInput.schema()}


class Fork(StrictModel):
    """Where a thread branches off, and what is asked there."""

    message_id: Annotated[str, StringConstraints(max_length=36)] = Field(
        description="the question that is edited or asked again, or its answer"
    )
    query: str | None = Field(
        None,
        min_length=1,
        max_length=100_000,
        description="the edited question; without it the same is asked again",
    )
    input: Any = Field(None, description="in place of a query: the runnable's whole input, edited")
    attachments: list[Name] | None = Field(
        None, max_length=10, description="ids of the files that it is about; without it those of the question"
    )
    runnable: Name | None = Field(None, description="who answers; by default that of the thread")
    multitask: Multitask = Field("reject", description="what to do when the thread has a run already")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.query is not None and "input" in self.model_fields_set:
            raise PydanticCustomError("one_question", "Give one of query and input")
        return self

    def asked(self, question: Question) -> dict[str, Any]:
        """Return what is asked in place of a question: what is given here, or the same."""
        if self.query is not None:
            return {"query": self.query}
        if "input" in self.model_fields_set:
            return {"input": self.input}
        return {"query": question.text} if question.value is None else {"input": question.value}


async def still_there(services: Services, principal: Principal, question: Question) -> list[str]:
    """Return the files of a question that were not deleted since: it can be asked again without them."""
    if not question.attachments:
        return []
    known = {file.id for file in await services.attachments.list(principal)}
    return [attachment_id for attachment_id in question.attachments if attachment_id in known]


@router.post(
    "/{thread_id}/fork",
    status_code=202,
    responses=REFUSALS,
    dependencies=[Depends(requires(WRITE_THREADS))],
)
async def fork(
    request: Request,
    principal: CurrentPrincipal,
    thread_id: str,
    body: Fork,
    idempotency_key: IdempotencyKey = None,
) -> RunState:
    """Edit a question, or ask it again. What was said is kept as a branch, and the new one is shown.

    The run has begun when this returns: read it at `/api/runs/{run_id}/stream`.
    """
    services = services_of(request)
    question = await services.threads.question(principal, thread_id, body.message_id)
    await services.runs.cancel_waiting_in(principal, thread_id)
    files = body.attachments
    chat = ChatRequest(
        **body.asked(question),
        thread_id=thread_id,
        runnable=body.runnable,
        attachments=await still_there(services, principal, question) if files is None else files,
        multitask=body.multitask,
    )
    started = await start(
        services, principal, chat, idempotency_key, admission_of(request), forks=question.id
    )
    return RunState.of(started.run)
