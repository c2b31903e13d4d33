"""What LangServe's playgrounds are opened for: prompts with a history, an agent, and what is configurable."""

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda

from gatehouse import Entry

WITH_HISTORY = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{input}")])
MESSAGES = ChatPromptTemplate.from_messages([MessagesPlaceholder("messages")])

CONFIGURABLE = PromptTemplate.from_template("[say A word on {topic}.]").configurable_fields(
    template=ConfigurableField(id="prompt", name="Prompt")
)


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
    Entry(
        "/configurable", lambda parts: CONFIGURABLE | parts.model | StrOutputParser(), "Says a word.",
        configurable=("prompt",),
    ),
]  # fmt: skip
