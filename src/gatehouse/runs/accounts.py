"""What an ended run has used, left in Redis with its end until somebody has entered it in the books."""

from dataclasses import dataclass, field

from gatehouse.plain_json import from_json, json_bytes
from gatehouse.runs.events import Usage, UsageDetails
from gatehouse.runs.records import RunRecord, State

ACCOUNTS = "gh:runs:accounts"  # by run id


@dataclass(frozen=True, slots=True)
class Account:
    """An ended run; `models` is the usage by the models' names, of which there may be none."""

    run_id: str
    tenant_id: str
    user_id: str
    runnable: str
    status: State
    ended_at: float  # Unix seconds, of the process that ended it
    models: dict[str, Usage]
    details: dict[str, UsageDetails] = field(default_factory=dict)
    finish_reason: str = ""


def account_of(run: RunRecord) -> bytes:
    """Return the account of a run that has ended, as it is kept."""
    principal = run.principal
    return json_bytes(
        Account(
            run.id,
            principal.tenant_id,
            principal.user_id,
            run.runnable.removeprefix("/"),
            run.state,
            run.created_at + run.duration_ms / 1000,
            dict(run.models),
            dict(run.details),
            run.finish_reason,
        )
    )


def parsed_account(kept: bytes) -> Account:
    """Return what `account_of` kept."""
    fields = from_json(kept)
    models = {name: Usage(**usage) for name, usage in fields["models"].items()}
    details = {name: UsageDetails(**known) for name, known in fields.get("details", {}).items()}
    return Account(**{**fields, "models": models, "details": details})
