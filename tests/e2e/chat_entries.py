"""What LangServe's chat playground is opened for: a prompt with a history, its text alone, and an agent."""

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda

from gatehouse import Entry

WITH_HISTORY = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{input}")])
MESSAGES = ChatPromptTemplate.from_messages([MessagesPlaceholder("messages")])


def counted(prompt: PromptValue) -> str:
    """Return how many messages the prompt has, and the last one."""
    messages = prompt.to_messages()
    return f"[say {len(messages)} messages, the last: {messages[-1].text}]"


def message(prompt: PromptValue) -> AIMessage:
    return AIMessage(counted(prompt)[5:-1])


REGISTRY = [
    Entry("/message", lambda parts: WITH_HISTORY | counted | parts.model, "Counts.", playground="chat"),
    Entry(
        "/text", lambda parts: MESSAGES | counted | parts.model | StrOutputParser(), "Counts.", playground="chat"
    ),
    Entry(
        "/whole",
        lambda _: WITH_HISTORY | RunnableLambda(message),
        "Counts, in one piece.",
        playground="chat",
    ),
    Entry(
        "/agent", lambda parts: create_agent(parts.model, []), "Answers.", output_type=AIMessage, playground="chat"
    ),
]  # fmt: skip
