"""Where a conversation stands: what the user said last, and what was called and found since."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from gatehouse.models.embedded.planning import Call, Lack
from gatehouse.models.embedded.tool_schema import Parameter

ASKING_BACK = "Which values should I use?"  # ends every question back, so that it is known in a history


@dataclass(frozen=True, slots=True)
class Turn:
    """The last message of the user, with what followed it."""

    said: str
    said_before: str | None  # what the user said before, if this answers a question back
    made: tuple[Call, ...]
    results: tuple[ToolMessage, ...]

    @classmethod
    def of(cls, messages: Sequence[BaseMessage]) -> Self:
        """Return the last turn of a conversation."""
        last = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
        after = messages[last + 1 :]
        made = [call for message in after if isinstance(message, AIMessage) for call in message.tool_calls]
        return cls(
            said=messages[last].text if last >= 0 else "",
            said_before=_said_before_question(messages[:last]) if last > 0 else None,
            made=tuple(Call(call["name"], call["args"]) for call in made),
            results=tuple(message for message in after if isinstance(message, ToolMessage)),
        )


def question_back(lacks: Sequence[Lack]) -> str:
    """Return the question that asks the user for what is missing."""
    needs = [f"For {lack.tool.words} I need {_listed(lack.missing)}." for lack in lacks]
    return " ".join([*needs, ASKING_BACK])


def _said_before_question(messages: Sequence[BaseMessage]) -> str | None:
    if not (isinstance(messages[-1], AIMessage) and messages[-1].text.endswith(ASKING_BACK)):
        return None
    return next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), None)


def _listed(parameters: Sequence[Parameter]) -> str:
    described = [parameter.in_words for parameter in parameters]
    return " and ".join(filter(None, [", ".join(described[:-1]), described[-1]]))
