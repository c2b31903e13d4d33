"""What is served to OpenAI's clients in the tests: the registry, a model alone, and what shows what came."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda
from live_app import LiveApp, serving

from chains.registry import REGISTRY
from gatehouse.registry.entry import Entry

PROMPT = ChatPromptTemplate.from_messages(
    [MessagesPlaceholder("history", optional=True), ("human", "{input}")]
)
WEBUI_SECRET = "Open WebUI and this server know it: 0123456789"
AGENT = '[say Let me see.][tool calculator {"expression": "2+2"}][say Four.]'


def came(value: PromptValue) -> str:
    """Say which messages came."""
    return ", ".join(f"{message.type}:{message.text}" for message in value.to_messages())


ENTRIES = (
    *REGISTRY,
    Entry("/model", lambda parts: parts.model, "The model alone.", client_tools=True),
    Entry("/recalling", lambda _: PROMPT | RunnableLambda(came), "Says what came.", client_history=True),
)


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[LiveApp]:
    with serving(folder, ENTRIES, openwebui_jwt_secret=WEBUI_SECRET, **settings) as live:
        yield live


@contextmanager
def client_of(live: LiveApp, key: str | None = None, **headers: str) -> Iterator[openai.OpenAI]:
    """Yield the official client, alice's by default, which asks nothing twice by itself."""
    credential = key or live.api_key()
    with openai.OpenAI(
        base_url=f"{live.url}/v1", api_key=credential, max_retries=0, default_headers=headers
    ) as made:
        yield made
