"""LangServe's feedback endpoint: what a caller thinks of a run, kept with its trace in LangSmith.

LangServe's own would take feedback on anybody's run, and waits for LangSmith on the event loop. By a token it
is taken on the token's run (`gatehouse.wires.langserve.feedback_tokens`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from gatehouse.problems.errors import (
    BadRequest,
    InsufficientScope,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from gatehouse.registry.checked import BadRegistry
from gatehouse.registry.entry import Entry
from gatehouse.services import services_of
from gatehouse.settings import Settings
from gatehouse.usage.langsmith import LangSmith
from gatehouse.web.dependencies import CurrentPrincipal, requires
from gatehouse.web.resources.feedback import judged

MOST_CHARACTERS = 4000

Score = float | int | bool | None
Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
PROBLEMS = {
    **BadRequest.schema(),
    **Unauthenticated.schema(),
    **InsufficientScope.schema(),
    **NotFound.schema(),
    **InvalidInput.schema(),
    **Unavailable.schema(),
}


class RunFeedback(BaseModel):
    """What LangServe's clients send."""

    model_config = ConfigDict(allow_inf_nan=False)

    run_id: UUID
    key: str = Field(min_length=1, max_length=100, description="what is judged")
    score: Score = None
    value: float | int | bool | Text | None = None
    comment: Text | None = None


class KeptFeedback(RunFeedback):
    """What LangServe's clients are answered with."""

    id: UUID
    created_at: datetime
    modified_at: datetime


class FeedbackByToken(BaseModel):
    """What LangServe's clients send with a token that came with an answer."""

    model_config = ConfigDict(allow_inf_nan=False)

    token_or_url: Annotated[str, Field(max_length=1000)]
    score: Score = None
    value: float | int | bool | Text | dict[str, Any] | None = None
    comment: Text | None = None
    correction: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


def add_feedback_routes(app: FastAPI, settings: Settings, entries: Sequence[Entry]) -> None:
    """Add the endpoints to every entry that takes feedback: by default each, where LangSmith is configured.

    Raises BadRegistry for an entry that gives out tokens of a LangSmith that is not configured.
    """
    kept = settings.langsmith_api_key is not None
    for entry in entries:
        if entry.token_feedback and not kept:
            raise BadRegistry(f"{entry.path}: token_feedback needs LANGSMITH_API_KEY")
        taken = kept if entry.enable_feedback_endpoint is None else entry.enable_feedback_endpoint
        if taken:
            app.include_router(feedback_router(entry), responses=PROBLEMS)
        if (taken or entry.token_feedback) and "token_feedback" in entry.endpoints:
            app.include_router(token_feedback_router(entry), responses=PROBLEMS)


def langsmith_of(request: Request) -> LangSmith:
    """Return what keeps feedback. Raises BadRequest where LangSmith is not configured, as LangServe does."""
    langsmith = services_of(request).langsmith
    if langsmith is None:
        raise BadRequest("Feedback is kept in LangSmith, which is not configured (LANGSMITH_API_KEY).")
    return langsmith


def router_of(entry: Entry) -> APIRouter:
    """Return the beginning of a router that wants the entry's scope, and LangSmith."""
    needed = [Depends(requires(entry.required_scope)), Depends(langsmith_of)]
    return APIRouter(tags=[entry.name], dependencies=needed)


def feedback_router(entry: Entry) -> APIRouter:
    router = router_of(entry)

    @router.head(f"{entry.path}/feedback", name=f"{entry.name} takes feedback")
    async def is_taken() -> None:
        """Tell a playground that feedback is taken."""

    @router.post(f"{entry.path}/feedback", name=f"{entry.name} feedback")
    async def give(request: Request, principal: CurrentPrincipal, feedback: RunFeedback) -> KeptFeedback:
        """Keep what the caller thinks of a run of theirs, in LangSmith."""
        services = services_of(request)
        run = await judged(services, principal, str(feedback.run_id))
        if run.runnable != entry.name:
            raise NotFound("There is no such run.")
        kept = await langsmith_of(request).keep(
            feedback.run_id,
            feedback.key,
            score=feedback.score,
            value=feedback.value,
            comment=feedback.comment,
        )
        return KeptFeedback(
            **feedback.model_dump(), id=kept.id, created_at=kept.created_at, modified_at=kept.modified_at
        )

    return router


def token_feedback_router(entry: Entry) -> APIRouter:
    router = router_of(entry)

    @router.post(f"{entry.path}/token_feedback", name=f"{entry.name} token feedback")
    async def give_by_token(request: Request, feedback: FeedbackByToken) -> None:
        """Keep, in LangSmith, what is thought of the run of a token, which came with its answer."""
        if not entry.token_feedback:
            raise BadRequest("This runnable gives out no tokens for feedback (Entry.token_feedback).")
        told = feedback.model_dump(exclude={"token_or_url"})
        told["metadata"] = {**(feedback.metadata or {}), "from_langserve": True}
        await langsmith_of(request).keep_by_token(feedback.token_or_url, told)

    return router
