"""The model's answers to the questions of planning: how they are asked for, and those given before."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatResult
from openai.types import CreateEmbeddingResponse

from gatehouse.models.embedded.meaning import Vector
from gatehouse.models.embedded.planning import Choose, Read
from gatehouse.models.embedded.prompts import choosing, readable
from gatehouse.models.embedded.recent import Recent
from gatehouse.models.embedded.responding import Compose, Question

Answer = tuple[Any, UsageMetadata | None]


class Answers:
    """Remembers vectors and choices, so that an agent's next step need not ask for them again."""

    def __init__(self) -> None:
        self._vectors: Recent[str, Vector] = Recent(512)
        self._choices: Recent[str, Any] = Recent(128)

    def known(self, question: Question) -> Any:
        """Return the answer that was given to the same question before, or None."""
        match question:
            case Read():
                return self._read(question) if not self.unread(question) else None
            case Choose():
                return self._choices.get(_key(question))
            case Compose():
                return None

    def unread(self, question: Read) -> list[str]:
        """Return the prompts whose vectors are not known."""
        return [prompt for prompt in question.prompts if self._vectors.get(prompt) is None]

    def learn(self, question: Read, new: Sequence[str], read: CreateEmbeddingResponse) -> Answer:
        """Keep the vectors of the prompts `new`; return all that are asked for and what they cost."""
        for prompt, item in zip(new, read.data, strict=True):
            self._vectors.set(prompt, item.embedding)
        tokens = read.usage.prompt_tokens
        return self._read(question), UsageMetadata(input_tokens=tokens, output_tokens=0, total_tokens=tokens)

    def chosen(self, question: Choose | Compose, result: ChatResult) -> Answer:
        """Return the arguments that the model wrote and what they cost."""
        message = result.generations[0].message
        arguments = json.loads(message.text)
        if isinstance(question, Choose):
            self._choices.set(_key(question), arguments)
        return arguments, message.usage_metadata if isinstance(message, AIMessage) else None

    def _read(self, question: Read) -> dict[str, Vector | None]:
        return {prompt: self._vectors.get(prompt) for prompt in question.prompts}


def written(
    question: Choose | Compose, messages: Sequence[BaseMessage]
) -> tuple[list[BaseMessage], dict[str, Any]]:
    """Return the prompt that asks for arguments, and the settings that force the answer into their schema."""
    if isinstance(question, Choose):
        return choosing(question), _as_json({"enum": list(question.options)})
    return readable(messages), _as_json(question.tool.schema)


def _as_json(schema: Mapping[str, Any]) -> dict[str, Any]:
    form = {"type": "json_schema", "json_schema": {"name": "arguments", "schema": schema}}
    return {"response_format": form, "temperature": 0}


def _key(question: Choose) -> str:
    return json.dumps([question.tool.name, question.request, question.options])
