"""Plans: how much the callers who have one may use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

log = structlog.get_logger(__name__)

DEFAULT = "default"
MINUTE_US = 60_000_000
REMEMBERED_NAMES = 100  # that were warned of; names come from credentials, so there may be many

WithoutRedis = Literal["refuse", "allow"]


class Plan(BaseModel):
    """What a user may use, and what all users of their tenant may use together.

    `burst` is how many requests may come at once; `tokens_reserved` is what a run is taken to need until it
    ends and its tokens are known; `open_streams` counts in each process.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: int = Field(300, gt=0, le=1_000_000)
    burst: int = Field(60, gt=0, le=1_000_000)
    concurrent_runs: int = Field(16, gt=0, le=1_000_000)
    tokens_per_day: int = Field(1_000_000, gt=0, le=10**12)
    tokens_reserved: int = Field(2000, ge=0, le=10**9)
    open_streams: int = Field(64, gt=0, le=1_000_000)
    tenant_requests_per_minute: int = Field(6000, gt=0, le=1_000_000)
    tenant_burst: int = Field(1200, gt=0, le=1_000_000)
    tenant_concurrent_runs: int = Field(320, gt=0, le=1_000_000)
    tenant_tokens_per_day: int = Field(20_000_000, gt=0, le=10**12)

    @model_validator(mode="after")
    def _let_a_run_begin(self) -> Self:
        if self.tokens_reserved > min(self.tokens_per_day, self.tenant_tokens_per_day):
            raise ValueError("tokens_reserved is more than a day's tokens: no run could begin")
        return self


class Allowance(NamedTuple):
    """The limits of one who is counted: a user, or a tenant."""

    interval: int  # microseconds between requests in the long run
    burst: int
    runs: int
    tokens: int

    @property
    def window(self) -> int:
        """The seconds in which a spent burst is whole again."""
        return max(1, -(-self.interval * self.burst // 1_000_000))


@dataclass(frozen=True, slots=True)
class NamedPlan:
    """A plan, with what is worked out of it once."""

    name: str
    plan: Plan
    user: Allowance
    tenant: Allowance
    numbers: str  # for gatehouse.limits.scripts.ADMIT

    @classmethod
    def of(cls, name: str, plan: Plan) -> Self:
        user = Allowance(
            interval_of(plan.requests_per_minute), plan.burst, plan.concurrent_runs, plan.tokens_per_day
        )
        tenant = Allowance(
            interval_of(plan.tenant_requests_per_minute),
            plan.tenant_burst,
            plan.tenant_concurrent_runs,
            plan.tenant_tokens_per_day,
        )
        numbers = " ".join(map(str, (plan.tokens_reserved, *user, *tenant)))
        return cls(name, plan, user, tenant, numbers)


def interval_of(per_minute: int) -> int:
    """Return the microseconds between requests, rounded up: never more than the plan says."""
    return -(-MINUTE_US // per_minute)


class Plans:
    """The plans that the settings name. `default` is there always."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self._plans = {name: NamedPlan.of(name, plan) for name, plan in plans.items()}
        self._default = self._plans.setdefault(DEFAULT, NamedPlan.of(DEFAULT, Plan()))
        self._unknown: set[str] = set()

    def of(self, name: str | None) -> NamedPlan:
        """Return the plan of this name; without one, or for a name that is not set, the default."""
        if name is None:
            return self._default
        plan = self._plans.get(name)
        if plan is not None:
            return plan
        if name not in self._unknown and len(self._unknown) < REMEMBERED_NAMES:
            self._unknown.add(name)
            log.warning("unknown plan: the default one applies", plan=name[:100])
        return self._default
