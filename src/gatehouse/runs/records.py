"""What is known of a run, as a Redis hash: who started it, with which input, how far it came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from redis.asyncio import Redis
from redis.typing import EncodableT, FieldT

from gatehouse.identity.principal import Principal
from gatehouse.limits.reservations import Reservation
from gatehouse.plain_json import from_json, json_bytes, whole_text
from gatehouse.runs import replies
from gatehouse.runs.events import BEGINNING, Cursor, Status, Usage, UsageDetails, parse_cursor

State = Literal["running"] | Status


def run_key(run_id: str) -> str:
    return f"gh:{{{run_id}}}:run"


def run_id_of(key: str) -> str:
    """Return the id of the run whose `run_key` this is."""
    return key.removeprefix("gh:{").removesuffix("}:run")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Times are Unix seconds of the process that started it; `grace` is in seconds.

    `text` is the answer up to `text_cursor`, saved when the log before it is trimmed and at the end.
    `opens_thread` says that its thread begins with it: nothing was said before. `models` is the usage by the
    models' names, `details` what else is known of it; `finish_reason` is how the answer ended, empty before
    it has; `reservation` is what it has of its caller's limits (None: nothing). `handovers` is how
    often its process gave it up in order: those attempts do not count as lost; `trace` is the W3C traceparent
    of the request that started it, empty when nothing is traced; `idempotency` is under which key Redis keeps
    the Idempotency-Key that it was started with, empty without one. `input` is JSON; `client` is what its
    entry lets a client say of the config (`configurable`, `tags`, `metadata`). `answer` is that of a run that
    is complete: a `message`, a `value`, or both; `checkpoint_id` the state that it left in its
    thread. `forks` is the message of its thread in whose place it is asked, empty when it is asked after the
    last; `attachments` are the files that it is about, each with id, name, media_type and size.
    `asks_late` says that its thread, which it opens, does not have its question yet: it is stored with its
    answer, or when the run goes on for longer (gatehouse.runs.lifecycle.asking).
    `continues` is the last attempt that goes on after a wait, with a decision or with why it ends; `over`
    is why it is not to: nobody decided in time (`expired`), or what it began with was `revoked`.
    """

    id: str
    principal: Principal
    runnable: str
    input: Any
    thread_id: str | None
    created_at: float
    deadline: float
    grace: float
    state: State = "running"
    attempt: int = 1
    cancel: str = ""
    text: str = ""
    text_cursor: Cursor = BEGINNING
    usage: Usage = field(default_factory=Usage)
    models: Mapping[str, Usage] = field(default_factory=dict)
    details: Mapping[str, UsageDetails] = field(default_factory=dict)
    finish_reason: str = ""
    problem: dict[str, Any] | None = None
    duration_ms: int = 0
    reservation: Reservation | None = None
    opens_thread: bool = False
    asks_late: bool = False
    handovers: int = 0
    trace: str = ""
    client: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    checkpoint_id: str = ""
    idempotency: str = ""
    forks: str = ""
    attachments: Sequence[Mapping[str, Any]] = ()
    continues: int = 0
    over: str = ""

    def owned_by(self, principal: Principal) -> bool:
        """Tell whether `principal` is the user of the tenant who started this run."""
        mine = self.principal
        return (mine.tenant_id, mine.user_id) == (principal.tenant_id, principal.user_id)

    @property
    def trace_id(self) -> str:
        """The id of the trace that the run is part of, in hex; empty when nothing is traced."""
        return self.trace.split("-")[1] if self.trace else ""

    @property
    def finished(self) -> bool:
        return self.state not in ("running", "waiting")

    @property
    def after_wait(self) -> bool:
        """Tell whether this attempt goes on with what the one before it had told."""
        return self.continues == self.attempt

    @property
    def last_event(self) -> Cursor:
        """The cursor of the newest event that is known of; of the last one when the run has ended."""
        closing = {"running": 0, "waiting": 0, "cancelled": 1, "completed": 2, "failed": 2}[self.state]
        return Cursor(self.text_cursor.attempt, self.text_cursor.sequence + closing)

    def fields(self) -> dict[FieldT, EncodableT]:
        """Return the hash's fields."""
        return {
            "id": self.id,
            "principal": json_bytes(principal_fields(self.principal)),
            "runnable": self.runnable,
            "input": json_bytes(self.input),
            "thread_id": self.thread_id or "",
            "created_at": self.created_at,
            "deadline": self.deadline,
            "grace": self.grace,
            "state": self.state,
            "attempt": self.attempt,
            "cancel": self.cancel,
            "reservation": json_bytes(self.reservation),
            "opens_thread": int(self.opens_thread),
            "asks_late": int(self.asks_late),
            "trace": self.trace,
            "client": json_bytes(dict(self.client)),
            "key": self.idempotency,
            "forks": self.forks,
            "attachments": json_bytes(list(self.attachments)),
            "continues": self.continues,
            "over": self.over,
            **self.progress(),
        }

    def progress(self) -> dict[FieldT, EncodableT]:
        """Return the fields that change while the run goes on."""
        return {
            "text": whole_text(self.text),
            "text_cursor": str(self.text_cursor),
            "usage": json_bytes(self.usage),
            "models": json_bytes(dict(self.models)),
            "details": json_bytes(dict(self.details)),
            "finish_reason": whole_text(self.finish_reason),
            "problem": json_bytes(self.problem),
            "answer": json_bytes(dict(self.answer)),
            "checkpoint_id": self.checkpoint_id,
            "duration_ms": self.duration_ms,
        }

    @classmethod
    def of(cls, fields: dict[bytes, bytes]) -> Self:
        """Return the run that the hash's fields tell of."""
        text = {name.decode(): value for name, value in fields.items()}
        state: Any = text["state"].decode()
        return cls(
            id=text["id"].decode(),
            principal=principal_of(from_json(text["principal"])),
            runnable=text["runnable"].decode(),
            input=from_json(text["input"]),
            thread_id=text["thread_id"].decode() or None,
            created_at=float(text["created_at"]),
            deadline=float(text["deadline"]),
            grace=float(text["grace"]),
            state=state,
            attempt=int(text["attempt"]),
            cancel=text["cancel"].decode(),
            text=text["text"].decode(),
            text_cursor=parse_cursor(text["text_cursor"].decode()),
            usage=Usage(**from_json(text["usage"])),
            # during a rolling update a run may be of a release that knows none of these
            client=from_json(text.get("client", b"{}")),
            answer=from_json(text.get("answer", b"{}")),
            checkpoint_id=text.get("checkpoint_id", b"").decode(),
            details={
                name: UsageDetails(**known) for name, known in from_json(text.get("details", b"{}")).items()
            },
            finish_reason=text.get("finish_reason", b"").decode(),
            models={name: Usage(**usage) for name, usage in from_json(text.get("models", b"{}")).items()},
            reservation=reservation_of(from_json(text.get("reservation", b"null"))),
            forks=text.get("forks", b"").decode(),
            attachments=tuple(from_json(text.get("attachments", b"[]"))),
            idempotency=text.get("key", b"").decode(),
            trace=text.get("trace", b"").decode(),
            problem=from_json(text["problem"]),
            duration_ms=int(text["duration_ms"]),
            opens_thread=text["opens_thread"] == b"1",
            asks_late=text.get("asks_late", b"0") == b"1",
            handovers=int(text.get("handovers", b"0")),
            continues=int(text.get("continues", b"0")),
            over=text.get("over", b"").decode(),
        )


def kept_fields(run: RunRecord) -> dict[str, str]:
    """Return the hash's fields as texts, for a store that keeps JSON."""
    return {
        str(name): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in run.fields().items()
    }


def of_kept_fields(kept: Mapping[str, str]) -> RunRecord:
    """Return the run that `kept_fields` kept."""
    return RunRecord.of({name.encode(): value.encode() for name, value in kept.items()})


def reservation_of(fields: dict[str, Any] | None) -> Reservation | None:
    """Return the reservation that plain JSON tells of."""
    return Reservation(**fields) if fields else None


def principal_fields(principal: Principal) -> dict[str, Any]:
    """Return a principal as plain JSON."""
    plain = {field.name: getattr(principal, field.name) for field in fields(principal)}
    return {**plain, "scopes": sorted(principal.scopes)}


def principal_of(kept: Mapping[str, Any]) -> Principal:
    """Return the principal that `principal_fields` kept."""
    return Principal(**{**kept, "scopes": frozenset(kept["scopes"])})


async def load(redis: Redis, run_id: str) -> RunRecord | None:
    """Return the run, or None when it never was or has expired."""
    fields = replies.fields(await redis.hgetall(run_key(run_id)))
    return RunRecord.of(fields) if fields else None


async def is_of(redis: Redis, run_id: str, tenant_id: str, user_id: str) -> bool:
    """Tell whether a run is known, and whether this user of this tenant started it."""
    kept = await redis.hget(run_key(run_id), "principal")
    if kept is None:
        return False
    principal = from_json(kept)
    return (principal["tenant_id"], principal["user_id"]) == (tenant_id, user_id)
