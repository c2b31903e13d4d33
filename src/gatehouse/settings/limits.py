"""How much a caller may use, and what a run keeps to."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_settings import NoDecode

from gatehouse.settings.engine import EngineSettings
from gatehouse.settings.lists import parsed
from gatehouse.settings.plans import Plan, WithoutRedis


class LimitSettings(BaseModel):
    """Bounds: of callers, of requests, of runs."""

    plans: Annotated[dict[str, Plan], NoDecode, BeforeValidator(parsed)] = Field(
        {},
        description="limits by plan, as JSON (docs/limits.md); by default those that are built in",
    )
    limits_without_redis: WithoutRedis = Field(
        "refuse", description="refuse answers 503 while Redis is away, allow lets everybody do everything"
    )
    signin_failures: int = Field(
        20, gt=0, le=1_000_000, description="failed sign-ins that a network address has in ten minutes"
    )
    max_body_bytes: int = Field(1_048_576, gt=0, description="largest request body")
    attachment_bytes: int = Field(
        10_000_000, gt=0, le=100_000_000, description="largest file of POST /api/attachments"
    )
    attachment_files: int = Field(100, gt=0, description="most attachments that a user has at a time")
    attachment_bytes_a_user: int = Field(
        100_000_000, gt=0, description="most bytes that a user's attachments have in all"
    )
    attachment_hours: float = Field(
        24, gt=0, description="hours after which an attachment is erased that no question was asked with"
    )
    body_timeout: float = Field(20, gt=0, description="seconds within which a request body must arrive")
    max_batch: int = Field(32, gt=0, description="most inputs in one /batch")
    batch_concurrency: int = Field(4, gt=0, description="inputs of one /batch that run at once")
    unknown_configurable: Literal["refuse", "ignore"] = Field(
        "refuse",
        description="what is done with a configurable field that an entry does not let clients set: refuse "
        "answers 422 with its name, ignore drops it as LangServe does, but for one that the runnable has",
    )
    recursion_limit: int = Field(25, gt=0, description="most steps of an agent in one run")

    run_deadline: float = Field(300, gt=0, description="seconds after which a run is ended")
    run_keep: float = Field(3600, gt=0, description="seconds that an ended run can be read again")
    run_lease: float = Field(5, gt=0, description="seconds after which a dead process's runs are taken over")
    max_attempts: int = Field(2, ge=1, description="most attempts at a run, each after a crash")
    disconnect_grace: float = Field(
        30, ge=0, description="seconds that a run goes on after its last viewer left"
    )
    disconnect_grace_max: float = Field(300, ge=0, description="most that x-disconnect-grace may ask for")
    log_length: int = Field(10_000, gt=0, description="events that a run's log keeps")
    log_age: float = Field(3600, gt=0, description="seconds that an event stays in its run's log")
    history_tokens: int = Field(
        2000, gt=0, description="most tokens of a thread's history given to the model"
    )
    send_timeout: float = Field(
        30, gt=0, description="seconds after which a reader that takes nothing is cut"
    )
    drain_delay: float = Field(
        0,
        ge=0,
        description="seconds that all is served still after SIGTERM, while proxies notice /readyz",
    )
    drain_seconds: float = Field(30, ge=0, description="seconds that open streams may go on after that")

    @property
    def runs(self) -> EngineSettings:
        """What the run engine needs to know."""
        return EngineSettings(
            lease=self.run_lease,
            keep=self.run_keep,
            log_length=self.log_length,
            log_age=self.log_age,
            deadline=self.run_deadline,
            max_attempts=self.max_attempts,
            recursion_limit=self.recursion_limit,
        )
