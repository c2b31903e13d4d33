"""What the embedded model answers next, a tool call or a text; and what it is given to read to write one."""

import re
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately, trim_messages

from gatehouse.models.embedded.arguments import Call
from gatehouse.models.embedded.planning import plan
from gatehouse.models.embedded.sentences import listed, told
from gatehouse.models.embedded.text.language import is_english
from gatehouse.models.embedded.tool_schema import Tool
from gatehouse.models.embedded.vectors import Vectors

ROOM = 5_500  # tokens of a prompt, by a count that is up to a third too low: fits 8,192
ASKING_BACK = "Which values should I use?"  # ends every question back, so that it is known in a history
NO_TOOL = "I cannot do that or look it up: I have no tool for it."
ENGLISH_ONLY = (
    "I am a very small model and speak English only. For a real answer in your language, set OPENAI_API_KEY "
    "or GATEHOUSE_MODEL and start the server again."
)
UNMET = 0.02  # resemblance to requests above which it is said that there is no tool
SHORT = 200  # characters; a longer message may be the prompt of a chain
_GOES_ON = re.compile(r"(?:and|or|what about|how about)\b", re.IGNORECASE)


def respond(messages: Sequence[BaseMessage], tools: Sequence[Tool], vectors: Vectors) -> Call | str | None:
    """Return the next call, each made once, or what they found; None leaves it to the model's own words."""
    last = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
    said, after = messages[last].text, messages[last + 1 :]
    if not is_english(said):
        return ENGLISH_ONLY
    calls = plan(_in_full(said, messages[:last]), tools, vectors) if tools else []
    made = [(call["name"], call["args"]) for m in after if isinstance(m, AIMessage) for call in m.tool_calls]
    for call in calls:
        if not call.missing and (call.tool.name, call.arguments) not in made:
            return call
    results = [message for message in after if isinstance(message, ToolMessage)]
    if not calls and not results and len(said) < SHORT:
        offer = f" What I have is: {listed([tool.words for tool in tools])}." if tools else ""
        return f"{NO_TOOL}{offer}" if vectors.asks(said) > UNMET else vectors.reply(said)
    ask = [
        f"For {c.tool.words} I need {listed([p.in_words for p in c.missing])}." for c in calls if c.missing
    ]
    return "\n\n".join([*map(told, results), *([" ".join([*ask, ASKING_BACK])] if ask else [])]) or None


def readable(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return a conversation as the model can read it: tool results as text, the oldest messages left out.

    The last message of the user is kept whole, whatever its length: the server refuses what is too long.
    """
    plain = [AIMessage(told(m)) if isinstance(m, ToolMessage) else m for m in messages]
    said = [m for m in plain if m.text or not isinstance(m, AIMessage)]
    trimmed = trim_messages(
        said, max_tokens=ROOM, token_counter=count_tokens_approximately, start_on="human", include_system=True
    )
    return trimmed if any(isinstance(m, HumanMessage) for m in trimmed) else said[-1:]


def _in_full(said: str, before: Sequence[BaseMessage]) -> str:
    """Return a message with the one before it, where it answers a question back or goes on from that one."""
    goes_on = _GOES_ON.match(said)
    answers = bool(before) and before[-1].text.endswith(ASKING_BACK) and not said.endswith("?")
    last = max((i for i, message in enumerate(before) if isinstance(message, HumanMessage)), default=None)
    if last is None or not (goes_on or answers):
        return said
    earlier = _in_full(before[last].text, before[:last])
    return f"{said.rstrip('.?! ')}: {earlier}" if goes_on else f"{earlier} {said}"
