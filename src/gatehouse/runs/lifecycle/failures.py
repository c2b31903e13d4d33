"""What a run failed with, where it is not the model: told as far as that says nothing secret."""

from typing import Self

import structlog
from langchain_core.exceptions import OutputParserException
from langgraph.errors import GraphRecursionError

from gatehouse.models.errors import AnswerUnusable, ModelFailed
from gatehouse.plain_json import NotJson
from gatehouse.problems.errors import ApiError, RunFailed
from gatehouse.problems.models import problem_of
from gatehouse.runs.records import RunRecord

log = structlog.get_logger(__name__)


class StepLimitReached(ApiError):
    """A graph went on for more steps than one run may have."""

    status = 500
    kind = "step-limit"
    default_detail = "The run took as many steps as one may."


class OutputNotJson(ApiError):
    """The runnable returned what JSON has no form for: the same on every route."""

    status = 500
    kind = "output-not-json"
    default_detail = "The runnable returned what has no form in JSON."

    @classmethod
    def of(cls, error: NotJson) -> Self:
        return cls(f"The runnable returned what cannot be sent: {error}.")


def failure_of(error: Exception, run: RunRecord, step_limit: int) -> ApiError:
    """Return what is told of what a runnable raised. What is not known by its type is in the log alone."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ModelFailed):  # gatehouse.models.guarded.calls has logged what it was
        return problem_of(error)
    if isinstance(error, GraphRecursionError):
        return StepLimitReached(
            f"The run took {step_limit} steps without coming to its end, which is its limit "
            "(GATEHOUSE_RECURSION_LIMIT, or the graph's own recursion_limit where that is less)."
        )
    if isinstance(error, NotJson):
        return OutputNotJson.of(error)
    if isinstance(error, OutputParserException):  # which quotes the answer
        log.warning("the answer cannot be parsed", run_id=run.id, runnable=run.runnable)
        return problem_of(AnswerUnusable("its text cannot be parsed"))
    log.error("run failed", run_id=run.id, runnable=run.runnable, exc_info=error)
    return RunFailed()
