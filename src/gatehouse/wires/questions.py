"""What a client asks of a runnable, and the run that is started for it, whatever wire it came over."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Self
from uuid import UUID, uuid5

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gatehouse.attachments.access import check_reading
from gatehouse.identity.principal import WRITE_THREADS, Principal
from gatehouse.limits.admission import Admission
from gatehouse.plain_json import json_bytes, whole_text
from gatehouse.problems.errors import InsufficientScope, InvalidInput, NotFound, PayloadTooLarge
from gatehouse.problems.faults import StrictModel
from gatehouse.problems.models import ModelUnavailableProblem
from gatehouse.registry.default import default_entry
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.offered import offered
from gatehouse.registry.shapes.saying import CannotBeSaid, in_langchains_form
from gatehouse.registry.taking import configured, taken
from gatehouse.runs.lifecycle.starting import Started
from gatehouse.runs.lifecycle.turns import Multitask
from gatehouse.services import Services

# a length makes pydantic refuse what is no Unicode: lone surrogates, which JSON can hold and UTF-8 cannot
Name = Annotated[str, StringConstraints(max_length=200)]
NAMED_THREADS = UUID("6a1f3f0e-7d0c-5c55-9d0f-0d6a3c1a7b52")  # never another: ids of threads are made with it


class ChatRequest(StrictModel):
    """Something that is asked of a runnable: a text, messages, or its whole input."""

    query: str | None = Field(None, min_length=1, max_length=100_000, examples=["What is a bond?"])
    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)] | None = Field(
        None,
        description="in place of a query: messages of LangChain's form or OpenAI's, the last one what is "
        "asked; their content may be blocks, images and files among them",
    )
    input: Any = Field(None, description="in place of a query: the runnable's whole input, of its own schema")
    thread_id: Name | None = Field(None, description="the thread that goes on; without it a new one begins")
    runnable: Name | None = Field(
        None, description="the runnable's name; by default that of the thread, or the default entry"
    )
    configurable: dict[str, Any] = Field({}, description="those fields that the runnable lets a client set")
    attachments: list[Name] = Field([], max_length=10, description="ids of the files that it is about")
    multitask: Multitask = Field("reject", description="what to do when the thread has a run already")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = {"query", "messages", "input"} & self.model_fields_set
        if len(asked) != 1 or (asked != {"input"} and getattr(self, *asked) is None):
            raise PydanticCustomError("one_question", "Give one of query, messages and input")
        return self

    def input_of(self, entry: ServedEntry) -> Any:
        """Return the input that is asked, as JSON. Raises InvalidInput."""
        if "input" in self.model_fields_set:
            return taken(entry, self.input, "input")
        where = "query" if self.messages is None else "messages"
        try:
            value = entry.shape.of_messages(self._said())
        except CannotBeSaid as error:
            fault = {"loc": [where], "msg": str(error), "type": "cannot_be_said"}
            raise InvalidInput(errors=[fault]) from None
        return taken(entry, value, where)

    def _said(self) -> list[dict[str, Any]]:
        if self.messages is None:
            return [{"type": "human", "content": self.query}]
        return list(map(in_langchains_form, self.messages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of an entry, once it was looked at: `value` is its input, as JSON that it takes.

    `in_thread` False is a question of no thread, of which nothing is kept. `in_one_piece` says that the
    client is told of run and thread when the run has ended. `named_thread` is the client's own
    name of a thread, which is begun where there is none. `new_thread` is the id of a thread that begins with
    it; None: one that is chosen here. `forks` is the message of its thread in whose place it is asked; empty:
    after the last. `bound` is what a client binds to a model that is served alone
    (gatehouse.runs.sources.binding), `kept` what a wire wants to know of the request later. `grace` is for
    how many seconds the run goes on without a viewer; None: as the settings say.
    """

    entry: ServedEntry
    value: Any
    configurable: Mapping[str, Any] = field(default_factory=dict)
    thread_id: str | None = None
    named_thread: str = ""
    new_thread: str | None = None
    in_thread: bool = True
    in_one_piece: bool = False
    bound: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)
    forks: str = ""
    attachments: Sequence[str] = ()
    multitask: Multitask = "reject"
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key, and the request that came with it as JSON."""

    text: str
    asked: Any


async def start(
    services: Services,
    principal: Principal,
    chat: ChatRequest,
    key: str | None,
    admission: Admission,
    forks: str = "",
    new_thread: str | None = None,
    keyed: Mapping[str, Any] | None = None,
    grace: float | None = None,
    *,
    in_one_piece: bool = False,
) -> Started:
    """Start a run in its thread, or in a new one, and charge it to the admission. Raises ApiError.

    `forks` is the message of its thread in whose place it is asked; empty: after the last. `new_thread` is
    the id of a thread that begins with it; None: one that is chosen here. `keyed` is the request that the key
    stands for, where that is another than what is asked. `grace` and `in_one_piece` are as in `Question`.
    """
    name = chat.runnable
    if name is None and chat.thread_id is not None:
        name = (await services.threads.get(principal, chat.thread_id)).runnable
    entry = chosen(offered(services.settings, principal, services.entries), principal, name)
    if key is None:  # with one it may be to join a run that has begun
        refuse_without_a_model(services, entry.path)
    question = Question(
        entry=entry,
        value=chat.input_of(entry),
        configurable=chat.configurable,
        thread_id=chat.thread_id,
        new_thread=new_thread,
        in_one_piece=in_one_piece,
        forks=forks,
        attachments=chat.attachments,
        multitask=chat.multitask,
        grace=grace,
    )
    named = Key(key, asked_of(chat, forks) if keyed is None else dict(keyed)) if key else None
    return await begin(services, principal, question, named, admission)


def asked_of(chat: ChatRequest, forks: str) -> dict[str, Any]:
    """Return the request that an Idempotency-Key stands for."""
    asked = {name: value for name, value in chat.model_dump().items() if name != "attachments" or value}
    return {**asked, "forks": forks} if forks else asked


async def begin(
    services: Services, principal: Principal, question: Question, key: Key | None, admission: Admission
) -> Started:
    """Start the run of a question, and charge it to the admission. Raises ApiError.

    Whatever a wire has checked before, here is what every one of them passes.
    """
    entry, settings = question.entry, services.settings
    if not principal.may(entry.required_scope):
        raise InsufficientScope(entry.required_scope)
    refuse_larger(services, entry, question.value)
    ignore_unknown = settings.unknown_configurable == "ignore"
    client: dict[str, Any] = {"configurable": configured(entry, question.configurable, ignore_unknown)}
    client |= question.kept
    if question.bound:
        client["bound"] = question.bound
    if question.attachments and not entry.shape.takes_files:
        raise InvalidInput("This runnable takes text alone, and no files.")
    thread_id = question.thread_id
    files = [await attached(services, principal, one, thread_id) for one in question.attachments]
    if question.named_thread:
        thread_id = await named_thread(services, principal, question.named_thread, entry.name)
    return await services.runs.start(
        principal,
        entry.path,
        question.value,
        client=client,
        thread_id=question.new_thread if thread_id is None else thread_id,
        new_thread=question.in_thread and thread_id is None,
        in_one_piece=question.in_one_piece,
        grace=settings.disconnect_grace if question.grace is None else question.grace,
        multitask=question.multitask,
        forks=question.forks,
        attachments=files,
        idempotency=(key.text, json_bytes(key.asked)) if key else None,
        admission=admission,
    )


async def named_thread(services: Services, principal: Principal, name: str, runnable: str) -> str:
    """Return the id of the caller's thread that it knows by this name: the id itself, or a name of its own.

    A thread of a client's own name is begun where there is none. Nobody else's thread can be named: its id is
    made of who the caller is. Raises InsufficientScope.
    """
    if not principal.may(WRITE_THREADS):
        raise InsufficientScope(WRITE_THREADS)
    with suppress(NotFound):
        return (await services.threads.get(principal, name)).id
    thread_id = str(
        uuid5(NAMED_THREADS, "\0".join((principal.tenant_id, principal.user_id, whole_text(name))))
    )
    await services.threads.create(principal, runnable, "", thread_id)
    return thread_id


def refuse_larger(services: Services, entry: ServedEntry, value: Any) -> None:
    """Raise PayloadTooLarge for more than this entry takes, where others take more on the same path."""
    most = max(entry.max_bytes, services.settings.max_body_bytes)
    if any(other.max_bytes > most for other in services.entries.values()) and len(json_bytes(value)) > most:
        raise PayloadTooLarge(f"A request to this runnable may have {most} bytes.")


async def attached(
    services: Services, principal: Principal, attachment_id: str, thread_id: str | None
) -> dict[str, Any]:
    """Return what is known of a file of the principal's, asked about in this thread.

    Raises NotFound, and InsufficientScope: whoever may go on with the thread asks about what it has already,
    and about all else who may read it.
    """
    known = await services.attachments.get(principal, attachment_id)
    if thread_id is None or known.thread_id != thread_id:
        check_reading(principal)
    return known.model_dump(include={"id", "name", "media_type", "size"})


def chosen(served: Mapping[str, ServedEntry], principal: Principal, name: str | None) -> ServedEntry:
    """Return the entry of this name, or the default one. Raises NotFound or InsufficientScope."""
    entry = default_entry(served, principal) if name is None else served.get(name)
    if entry is None:
        raise NotFound("There is no such runnable.")
    if not principal.may(entry.required_scope):
        raise InsufficientScope(entry.required_scope)
    return entry


def refuse_without_a_model(services: Services, path: str) -> None:
    """Raise ModelUnavailableProblem while no model may be asked, rather than begin a run that can only fail.

    That is while the circuit is open, of the fallback too if there is one, and where the runnable at the path
    uses the model at all.
    """
    seconds = services.model.model.seconds_to_wait()
    if seconds and services.model.users.includes(path, services.runs.runnables.get(path)):
        raise ModelUnavailableProblem(seconds)
