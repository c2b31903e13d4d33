"""What the embedded model is given to read: its template knows no tools, and its memory is short."""

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately, trim_messages

from gatehouse.models.embedded.examples import ARGUMENTS
from gatehouse.models.embedded.planning import Choose
from gatehouse.models.embedded.quoting import quoted

MOST_TOKENS = 5_500  # by a count of four characters each, which is up to a third too low: fits 8,192


def readable(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return a conversation as the model can read it: tool results as text, the oldest messages left out.

    The last message of the user is kept whole, whatever its length: the server refuses what is too long.
    """
    told = [_told(message) for message in messages if message.text or not isinstance(message, AIMessage)]
    trimmed = trim_messages(
        told,
        max_tokens=MOST_TOKENS,
        token_counter=count_tokens_approximately,
        strategy="last",
        start_on="human",
        include_system=True,
    )
    return trimmed if any(isinstance(m, HumanMessage) for m in trimmed) else told[-1:]


def choosing(question: Choose) -> list[BaseMessage]:
    """Return the prompt that has the model share out values; its answer is one of the options as JSON."""
    prompt: list[BaseMessage] = [SystemMessage("Fill in the arguments of the tool from the message.")]
    for tool, message, arguments in ARGUMENTS:
        prompt += [HumanMessage(f"Tool: {tool}\nMessage: {message}"), AIMessage(json.dumps(arguments))]
    tool = f"{question.tool.words}: {question.tool.purpose}"
    return [*prompt, HumanMessage(f"Tool: {tool}\nMessage: {question.request}")]


def _told(message: BaseMessage) -> BaseMessage:
    return AIMessage(quoted([message])) if isinstance(message, ToolMessage) else message
