"""The chat model that a runnable is built over to read its types, before any model is open."""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable


class UnopenedModel(BaseChatModel):
    """Has the types of a chat model, and cannot be asked."""

    @property
    def _llm_type(self) -> str:
        return "unopened"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=list(tools), **kwargs)

    def _generate(self, *_asked: Any, **_how: Any) -> ChatResult:
        raise RuntimeError("a factory may not ask the model: it is open only when the server has started")
