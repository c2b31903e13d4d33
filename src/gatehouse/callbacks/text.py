"""The base of callback handlers that hear what models say."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult


def text_of(token: str | Sequence[str | dict[str, Any]]) -> str:
    """Return the text of what LangChain calls a token: a string, or a list of content blocks."""
    if isinstance(token, str):
        return token
    return "".join(block if isinstance(block, str) else str(block.get("text") or "") for block in token)


def result_of(response: LLMResult) -> tuple[str, int | None]:
    """Return the text of a model's result, and how many tokens the model says it has."""
    generation = next((first for batch in response.generations for first in batch), None)
    if generation is None:
        return "", None
    message = generation.message if isinstance(generation, ChatGeneration) else None
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    return generation.text, usage["output_tokens"] if usage else None


class TextHandler(BaseCallbackHandler):
    """Hears what models say. Override `began`, `said` and `ended`, which are told the call's run id.

    They are called in this order for a call, `said` for each chunk that has text, `ended` once.
    """

    run_inline = True
    ignore_chain = True
    ignore_agent = True
    ignore_retriever = True
    ignore_retry = True
    ignore_custom_event = True

    def __init__(self) -> None:
        self._silent: set[UUID] = set()

    def began(self, run_id: UUID) -> None:
        """A model was asked."""

    def said(self, run_id: UUID, text: str) -> None:
        """It said something."""

    def ended(self, run_id: UUID, tokens: int | None, error: BaseException | None) -> None:
        """It said all, in so many tokens if it tells; or it failed, or was cut off."""

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._begin(run_id)

    def on_llm_start(
        self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._begin(run_id)

    def on_llm_new_token(
        self, token: str | list[str | dict[str, Any]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        if text := text_of(token):
            self._silent.discard(run_id)
            self.said(run_id, text)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        text, tokens = result_of(response)
        if run_id in self._silent and text:
            self.said(run_id, text)
        self._silent.discard(run_id)
        self.ended(run_id, tokens, None)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._silent.discard(run_id)
        self.ended(run_id, None, error)

    def _begin(self, run_id: UUID) -> None:
        self._silent.add(run_id)
        self.began(run_id)
