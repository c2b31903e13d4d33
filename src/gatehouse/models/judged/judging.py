"""Judges a model's answer while it comes, and how it ended.

Text passes as it comes. Tool calls wait for the end: only then is it known whether the answer was finished,
and whether their arguments are whole. Metadata and usage wait too: some providers repeat them with every
chunk, and LangChain would add up the names and the counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall
from langchain_core.outputs import ChatGenerationChunk

from gatehouse.models.errors import (
    ContentFiltered,
    ModelCutOff,
    ModelDeclined,
    ModelFailed,
    ModelSaidNothing,
)
from gatehouse.models.judged.endings import Ending, added, ending_of
from gatehouse.models.judged.thought_tags import ThoughtTags
from gatehouse.models.judged.tool_calls import Fault, ToolCalls, chunks_of
from gatehouse.models.judged.usage_reports import ESTIMATED, UNSEEN, completed, estimated, plausible, used
from gatehouse.plain_json import Halves, whole_text

EVERY_CHUNKS = frozenset({"model_provider", "output_version"})  # by them LangChain reads a chunk's blocks
THOUGHTS = "reasoning_content"  # what LangChain's packages call thoughts that come beside the content
JUDGED = frozenset({"refusal", "tool_calls"})  # LangChain would make calls of the latter: these wait, too
NORMAL = Ending("stop", "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer came to: its last chunk, and of its tool calls those that can be made and the faults."""

    last: ChatGenerationChunk
    calls: Sequence[ToolCall]
    faults: Sequence[Fault]
    text: str

    @property
    def usage(self) -> UsageMetadata | None:
        message = self.last.message
        return message.usage_metadata if isinstance(message, AIMessageChunk) else None


class Judge:
    """Judges one answer to `messages`: give it every chunk, show what it returns, and ask for the end.

    `tells_end` says that its provider always tells how an answer ended: one that does not was cut off, and
    one without a word is none.
    """

    def __init__(self, messages: Sequence[BaseMessage], *, tells_end: bool) -> None:
        self._messages = messages
        self._tells_end = tells_end
        self._halves = Halves()
        self._tags = ThoughtTags()
        self._thought = ""  # between tags, and not shown yet
        self._calls = ToolCalls()
        self._metadata: dict[str, Any] = {}
        self._reports: list[UsageMetadata] = []
        self._said: list[str] = []
        self._refused = False
        self._blocks = False

    @property
    def ended(self) -> bool:
        """Whether the provider has told of a normal end: what breaks after that breaks nothing."""
        ending = ending_of(self._metadata)
        return ending is not None and ending.kind == "stop"

    def take(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk | None:
        """Return what is to be shown of a chunk, None when nothing is."""
        message = chunk.message
        if not isinstance(message, AIMessageChunk):
            return chunk
        if self._tags.passed and is_text_alone(chunk, message) and not self._halves.waiting:
            self._said.append(message.__dict__["content"])
            return chunk
        content = self._whole(message)
        held = self._held(chunk, message)
        if content is message.content and not held and not self._thought:
            return chunk
        shown = self._shown(message, content)
        return shown if content or shown.message.additional_kwargs else None

    def end(self) -> Answer:
        """Return what the answer came to. Raises the ModelFailed that it is, if it cannot be used."""
        rest = self._rest()
        ending = self._ending()
        if failure := self._failure(ending):
            raise failure
        calls, faults = self._calls.made(self._messages, named_anew=not self._blocks)
        return Answer(self._last(ending, rest, [] if faults else calls), calls, faults, self.text)

    @property
    def text(self) -> str:
        """What was said, up to a bound."""
        return "".join(self._said)

    def _rest(self) -> str:
        """Return what waited for more to come."""
        said = self._heard(self._halves.rest())
        waiting, thought = self._tags.rest()
        self._thought += thought
        if waiting:
            self._said.append(waiting)
        return said + waiting

    def _ending(self) -> Ending:
        ending = ending_of(self._metadata)
        if self._refused:
            return Ending("refusal", ending.word if ending else "")
        return ending or (Ending("failed", "") if self._tells_end else NORMAL)

    def _failure(self, ending: Ending) -> ModelFailed | None:
        """Return the failure that an answer with this end is; None when it can be used."""
        said, calls = bool(self._said), bool(self._calls.asked)
        failure: ModelFailed | None = None
        match ending.kind:
            case "content_filter":
                failure = ContentFiltered("the content filter stopped the answer")
            case "refusal" if calls or not said:
                failure = ModelDeclined("the model refused")
            case "failed" if not (said or calls or ending.word):
                failure = ModelSaidNothing("the stream ended without a word")
            case "failed":
                failure = ModelCutOff(
                    f"the answer was cut off ({ending.word[:50] or 'its stream just ended'})"
                )
            case "length" | "unknown" if calls or not said:
                failure = ModelCutOff(f"nothing that can be used came before its end ({ending.word[:50]})")
            case "stop" if self._tells_end and not (said or calls):
                failure = ModelSaidNothing("the answer has no word")
        return failure

    def _whole(self, message: AIMessageChunk) -> str | list[Any]:
        """Return the content with whole characters, a refusal as text like another."""
        if refusal := message.additional_kwargs.get("refusal"):
            self._refused = True
            return self._heard(str(refusal))
        content = message.content
        if isinstance(content, str):
            return self._heard(content) if content else content
        self._blocks = self._blocks or bool(content)
        return [self._whole_block(block) for block in content]

    def _whole_block(self, block: Any) -> Any:
        if isinstance(block, str):
            return self._heard(block)
        if block.get("type") == "refusal":
            self._refused = True
            index = {"index": block["index"]} if "index" in block else {}
            return {"type": "text", "text": self._heard(str(block.get("refusal") or "")), **index}
        if isinstance(text := block.get("text"), str):
            return {**block, "text": self._heard(text)}
        if isinstance(thought := block.get("thinking"), str):
            return {**block, "thinking": whole_text(thought)}
        return block

    def _heard(self, text: str) -> str:
        whole = self._halves.add(text)
        if not self._tags.passed:
            whole, thought = self._tags.add(whole)
            self._thought += thought
        if whole:
            self._said.append(whole)
        return whole

    def _held(self, chunk: ChatGenerationChunk, message: AIMessageChunk) -> bool:
        """Keep what waits for the end; tell whether the chunk has any of it."""
        late = chunk.generation_info or message.tool_call_chunks or message.usage_metadata
        if not (late or message.chunk_position or message.response_metadata.keys() - EVERY_CHUNKS):
            return False
        told = {**(chunk.generation_info or {}), **message.response_metadata}
        known = {
            name: value for name, value in told.items() if name not in EVERY_CHUNKS and value is not None
        }
        self._metadata = added(self._metadata, known)
        self._calls.add(message.tool_call_chunks)
        if message.usage_metadata:
            self._reports.append(message.usage_metadata)
        return True

    def _shown(self, message: AIMessageChunk, content: str | list[Any]) -> ChatGenerationChunk:
        extra = {name: value for name, value in message.additional_kwargs.items() if name not in JUDGED}
        extra |= self._thoughts()
        every = {name: value for name, value in message.response_metadata.items() if name in EVERY_CHUNKS}
        shown = AIMessageChunk(
            content=content,
            id=message.id,
            additional_kwargs=extra,
            response_metadata=every,
            name=message.name,
        )
        return ChatGenerationChunk(message=shown)

    def _thoughts(self) -> dict[str, str]:
        """Return the thoughts that were between tags, and were not shown."""
        thought, self._thought = self._thought, ""
        return {THOUGHTS: thought} if thought else {}

    def _last(self, ending: Ending, rest: str, calls: Sequence[ToolCall]) -> ChatGenerationChunk:
        usage, metadata = used(self._reports), dict(self._metadata)
        if usage and usage["total_tokens"] > UNSEEN:  # else the estimate is not made: it reads all messages
            usage = plausible(usage, self._messages, self._estimate(calls))
        if usage is None or not (usage["input_tokens"] and usage["output_tokens"]):
            usage = completed(usage, self._estimate(calls))
            metadata[ESTIMATED] = True
        if self._refused:
            metadata["finish_reason"] = ending.finish_reason
        message = AIMessageChunk(
            content=[] if self._blocks and not rest else rest,
            additional_kwargs=self._thoughts(),
            tool_call_chunks=chunks_of(calls),
            usage_metadata=usage,
            response_metadata=metadata,
            chunk_position="last",
        )
        return ChatGenerationChunk(message=message)

    def _estimate(self, calls: Sequence[ToolCall]) -> UsageMetadata:
        text = self.text + "".join(f"{call['name']}{call['args']}" for call in calls)
        others = len(text) - len(text.encode("ascii", "ignore"))
        return estimated(self._messages, len(text), others)


def is_text_alone(chunk: ChatGenerationChunk, message: AIMessageChunk) -> bool:
    """Tell a chunk of ASCII text, of which nothing is cut, with nothing beside it.

    Nearly every one is, and it is looked at no further.
    """
    # pydantic's own way to a field takes several times as long, which counts once a token
    fields = message.__dict__
    text = fields["content"]
    return (
        type(text) is str
        and text != ""
        and text.isascii()
        and not fields["additional_kwargs"]
        and not fields["tool_call_chunks"]
        and not fields["usage_metadata"]
        and not fields["chunk_position"]
        and not chunk.generation_info
        and fields["response_metadata"].keys() <= EVERY_CHUNKS
    )


def finish_reason_of(metadata: Mapping[str, Any]) -> str:
    """Return what clients are told of how an answer with this metadata ended."""
    ending = ending_of(metadata)
    return ending.finish_reason if ending else "stop"
