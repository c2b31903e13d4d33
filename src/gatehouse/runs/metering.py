"""The tokens of a run, as the models counted them; estimated for a call that was cut off."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from gatehouse.models.errors import AnswerUnusable, ContentFiltered, ModelCutOff, ModelDeclined
from gatehouse.models.judged.judging import finish_reason_of
from gatehouse.models.judged.usage_reports import ESTIMATED
from gatehouse.runs.continuing import pending_calls
from gatehouse.runs.events import Usage, UsageDetails
from gatehouse.runs.observing import CallObserver, ModelUse
from gatehouse.runs.unobserved import Unobserved

CHARACTERS_PER_TOKEN = 4
PAID = (ModelCutOff, AnswerUnusable, ContentFiltered, ModelDeclined)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a model that has not ended: what it is called, and the characters that it was given."""

    model: str
    characters: int


class UsageMeter(AsyncCallbackHandler):
    """Adds up the tokens of every model call in a run, by the models' names.

    Inline, and deaf to chains: langchain-core would give every other handler a task for every token. What it
    hears it tells the `observer`, since a second handler would be called for every token too.
    """

    run_inline = True
    ignore_chain = True
    ignore_retriever = True

    def __init__(self, again: bool = False) -> None:
        """`again`: an earlier attempt at the run may have called what is called now."""
        self.observer: CallObserver = Unobserved()
        self.again = again
        self.models: dict[str, Usage] = {}
        self.details: dict[str, UsageDetails] = {}
        self.finish_reason = "stop"  # of the newest answer; a run that asks no model comes to its end
        self._open: dict[UUID, Call] = {}

    @property
    def usage(self) -> Usage:
        """What the calls that have ended used."""
        return total(self.models)

    def settled(self, text: str) -> dict[str, Usage]:
        """Return the usage by model when the run has ended with this text.

        A model that was cut off has not said what it used, but it was paid for: its tokens are taken to have
        four characters each. Otherwise a caller who cancels in time would never use any.
        """
        models = dict(self.models)
        produced = max(0, len(text) // CHARACTERS_PER_TOKEN - self.usage.output_tokens)
        for call in self._open.values():
            read = call.characters // CHARACTERS_PER_TOKEN
            models[call.model] = plus(models.get(call.model), read, produced, read + produced)
            produced = 0
        return models

    def settled_details(self, models: Mapping[str, Usage]) -> dict[str, UsageDetails]:
        """Return what else is known of the usage that `settled` returned: what it added is an estimate."""
        details = dict(self.details)
        for name, usage in models.items():
            if added := usage.total_tokens - self.models.get(name, Usage()).total_tokens:
                details[name] = details.get(name, UsageDetails()) + UsageDetails(estimated=added)
        return details

    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._begin(run_id, kwargs, (str(message.content) for batch in messages for message in batch))

    async def on_llm_start(
        self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._begin(run_id, kwargs, prompts)

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        call = self._open.pop(run_id, Call("", 0))
        messages = list(messages_of(response.generations))
        uses = [self.add(message, call.model) for message in messages]
        used = total({str(number): use.used for number, use in enumerate(uses)})
        model, ended = uses[0].model if uses else call.model, ""
        if messages:
            ended = finish_reason_of(messages[0].response_metadata)
            self.finish_reason = ended
        self.observer.model_ended(run_id, ModelUse(used, model, finish_reason=ended))

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        # one that failed by itself has used nothing that we know of; what was cut off, or came and cannot be
        # used, stays open: it was paid for
        if isinstance(error, Exception) and not isinstance(error, PAID):
            self._open.pop(run_id, None)
        self.observer.model_ended(run_id, ModelUse(error=type(error).__name__))

    async def on_tool_start(
        self, serialized: dict[str, Any], input_str: str, *, run_id: UUID, **kwargs: Any
    ) -> None:
        name, call_id = (serialized or {}).get("name"), kwargs.get("tool_call_id")
        self.observer.tool_began(run_id, str(name or ""), str(call_id or ""))
        pending = pending_calls.get()
        if self.again and (pending is None or call_id in pending):
            self.observer.tool_repeated(str(name or ""))

    async def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        failed = isinstance(output, ToolMessage) and output.status == "error"
        self.observer.tool_ended(run_id, "ToolException" if failed else "")

    async def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        # one that was cut off has not failed: the end of the attempt ends it
        if isinstance(error, Exception):
            self.observer.tool_ended(run_id, type(error).__name__)

    def add(self, message: AIMessage, model: str = "") -> ModelUse:
        """Count and return what a message says it took; `model` is its model's, if it does not say that."""
        name = str(message.response_metadata.get("model_name") or model)
        counted = message.usage_metadata
        if not counted:
            return ModelUse(model=name)
        counts = counted["input_tokens"], counted["output_tokens"], counted["total_tokens"]
        self.models[name] = plus(self.models.get(name), *counts)
        if (known := details_of(message)) != UsageDetails():
            self.details[name] = self.details.get(name, UsageDetails()) + known
        return ModelUse(Usage(*counts), name)

    def _begin(self, run_id: UUID, kwargs: Mapping[str, Any], texts: Iterable[str]) -> None:
        metadata: Mapping[str, Any] = kwargs.get("metadata") or {}
        self._open[run_id] = Call(str(metadata.get("ls_model_name") or ""), sum(map(len, texts)))
        self.observer.model_began(run_id, metadata)


def messages_of(generations: Sequence[Sequence[Any]]) -> Iterable[AIMessage]:
    """Yield the messages of a chat model's result."""
    for batch in generations:
        for generation in batch:
            if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
                yield generation.message


def details_of(message: AIMessage) -> UsageDetails:
    """Return what a message tells of its usage beside the counts."""
    counted: Mapping[str, Any] = message.usage_metadata or {}
    read, written = counted.get("input_token_details") or {}, counted.get("output_token_details") or {}
    return UsageDetails(
        reasoning=written.get("reasoning") or 0,
        cached=read.get("cache_read") or 0,
        estimated=counted["total_tokens"] if message.response_metadata.get(ESTIMATED) else 0,
    )


def plus(usage: Usage | None, read: int, written: int, both: int) -> Usage:
    """Return the usage with these tokens added."""
    before = usage or Usage()
    return Usage(before.input_tokens + read, before.output_tokens + written, before.total_tokens + both)


def total(models: Mapping[str, Usage]) -> Usage:
    """Return the usage of all models together."""
    whole = Usage()
    for usage in models.values():
        whole = plus(whole, usage.input_tokens, usage.output_tokens, usage.total_tokens)
    return whole
