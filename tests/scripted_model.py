"""A chat model that says what it was told to say, in order, and keeps what it was sent."""

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field


def calls(*tool_calls: tuple[str, dict[str, Any]]) -> AIMessage:
    """Return a message that calls these tools, with the ids call-0, call-1, …"""
    return AIMessage(
        "",
        tool_calls=[
            ToolCall(name=name, args=arguments, id=f"call-{i}", type="tool_call")
            for i, (name, arguments) in enumerate(tool_calls)
        ],
    )


class ScriptedModel(BaseChatModel):
    """Answers with `script[i]` at the i-th turn of a conversation, so that several can go on at once."""

    script: list[AIMessage]
    seen: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.seen.append(messages)
        turn = sum(isinstance(message, AIMessage) for message in messages)
        return ChatResult(generations=[ChatGeneration(message=self.script[turn].model_copy())])
