"""What callers are told of each failure of the model."""

import pytest

from gatehouse.models import errors as model_errors
from gatehouse.models.errors import ModelFailed
from gatehouse.problems.errors import RunFailed
from gatehouse.problems.models import problem_of

FAILURES = [
    (model_errors.ModelUnreachable, 503, "model-unavailable", "5"),
    (model_errors.ModelServerFailed, 503, "model-unavailable", "5"),
    (model_errors.ModelNotAvailable, 503, "model-unavailable", "5"),
    (model_errors.ModelCircuitOpen, 503, "model-unavailable", "5"),
    (model_errors.ModelBusy, 503, "model-rate-limited", "5"),
    (model_errors.ModelQuotaUsedUp, 503, "model-rate-limited", "5"),
    (model_errors.ModelTimedOut, 504, "model-timeout", None),
    (model_errors.ModelMisconfigured, 502, "model-misconfigured", None),
    (model_errors.InputTooLong, 422, "input-too-long", None),
    (model_errors.AddressRefused, 422, "address-refused", None),
    (model_errors.ContentFiltered, 422, "content-filtered", None),
    (model_errors.ModelSaidNothing, 502, "model-said-nothing", None),
    (model_errors.ModelCutOff, 502, "model-cut-off", None),
    (model_errors.AnswerUnusable, 502, "model-answer-unusable", None),
    (model_errors.ModelDeclined, 422, "model-refused", None),
    (model_errors.ModelRefused, 500, "run-failed", None),
]


@pytest.mark.parametrize(("failure", "status", "kind", "retry_after"), FAILURES)
def test_each_failure_is_a_problem_of_its_own(
    failure: type[ModelFailed], status: int, kind: str, retry_after: str | None
) -> None:
    problem = problem_of(failure("the provider's own words"))
    assert (problem.status, problem.kind) == (status, kind)
    assert problem.headers.get("retry-after") == retry_after
    assert "own words" not in problem.detail


def test_none_is_forgotten() -> None:
    def family(kind: type[ModelFailed]) -> set[type[ModelFailed]]:
        return {kind}.union(*(family(below) for below in kind.__subclasses__()))

    assert {kind for kind, *_ in FAILURES} == family(ModelFailed) - {ModelFailed}


@pytest.mark.parametrize(("seconds", "wait"), [(0.0, "1"), (0.2, "1"), (6.5, "7"), (None, "5")])
def test_the_wait_is_in_whole_seconds_and_at_least_one(seconds: float | None, wait: str) -> None:
    problem = problem_of(model_errors.ModelBusy("?", retry_after=seconds))
    assert problem.headers["retry-after"] == wait
    assert problem.problem("urn:x")["retry_after"] == int(wait)


def test_a_failure_of_no_kind_is_the_runs() -> None:
    assert isinstance(problem_of(ModelFailed("?")), RunFailed)
