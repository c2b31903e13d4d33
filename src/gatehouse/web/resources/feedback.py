"""The routes of feedback: say what one thinks of an answer, read it again, take it back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from gatehouse.identity.principal import READ_THREADS, WRITE_RUNS, Principal
from gatehouse.problems.errors import InsufficientScope, InvalidInput, NotFound, Unauthenticated
from gatehouse.problems.faults import StrictModel
from gatehouse.services import Services, services_of
from gatehouse.usage.feedback import Feedback, FeedbackStore, Judged, Score
from gatehouse.web.dependencies import CurrentPrincipal, requires

router = APIRouter(
    prefix="/api/feedback",
    tags=["feedback"],
    responses={**Unauthenticated.schema(), **InsufficientScope.schema(), **InvalidInput.schema()},
)

# in one spelling only, as everywhere; a longer or stranger text never reaches the database
RunId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Opinion(StrictModel):
    """What the caller thinks of an answer."""

    model_config = ConfigDict(str_strip_whitespace=True)

    score: Score
    comment: str = Field("", max_length=4000, examples=["The figures are last year's."])


class FeedbackList(BaseModel):
    """Feedback, the oldest first."""

    items: list[Feedback]


@router.get("", dependencies=[Depends(requires(READ_THREADS))])
async def list_feedback(
    request: Request,
    principal: CurrentPrincipal,
    thread_id: Annotated[str, Query(max_length=64, description="the thread whose runs it is about")],
) -> FeedbackList:
    """The caller's feedback on the answers of a thread."""
    return FeedbackList(items=await store_of(services_of(request)).of_thread(principal, thread_id))


@router.put("/{run_id}", responses=NotFound.schema())
async def give_feedback(
    request: Request, principal: CurrentPrincipal, run_id: RunId, opinion: Opinion
) -> Feedback:
    """Say what one thinks of a run's answer. A later opinion replaces the earlier one."""
    services = services_of(request)
    run = await judged(services, principal, run_id)
    return await store_of(services).put(principal, run, opinion.score, opinion.comment)


@router.delete("/{run_id}", status_code=204, responses=NotFound.schema())
async def withdraw_feedback(request: Request, principal: CurrentPrincipal, run_id: RunId) -> None:
    """Take the feedback on a run back."""
    services = services_of(request)
    await check_may_judge(services, principal, run_id)
    await store_of(services).withdraw(principal, run_id)


async def judged(services: Services, principal: Principal, run_id: str) -> Judged:
    """Return the caller's run: that of a thread, or one that the engine still knows.

    Raises NotFound, InsufficientScope.
    """
    await check_may_judge(services, principal, run_id)
    if found := await store_of(services).judged(principal, run_id):
        return found
    run = await services.runs.get(principal, run_id)
    return Judged(run.id, run.thread_id, run.runnable.removeprefix("/"))


async def check_may_judge(services: Services, principal: Principal, run_id: str) -> None:
    """Raise InsufficientScope for a credential that may change only what it began, or NotFound."""
    if not principal.may(WRITE_RUNS):
        await services.runs.get(principal, run_id, WRITE_RUNS)


def store_of(services: Services) -> FeedbackStore:
    return FeedbackStore(services.engine)
