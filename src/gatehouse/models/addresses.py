"""Addresses of files in messages: kept from packages of providers that would open them from here.

Google's and LiteLLM's fetch what a message names before they ask the provider: from inside this network, and
Google's without a bound to the time that it stops the event loop. Ollama's reads files of this machine.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from gatehouse.models.errors import AddressRefused
from gatehouse.models.overriding import overriding

# packages that hand an address on to the provider
HANDING_ON = frozenset(f"langchain_{name}" for name in ("anthropic", "mistralai", "openai", "openrouter"))
METHODS = ("_generate", "_agenerate", "_stream", "_astream")
WEB = ("http://", "https://")
ARGUMENTS = frozenset({"input", "args"})  # of tools, in what an assistant has said
REFUSED = "a file is named by its address"

Model = TypeVar("Model", bound=BaseChatModel)


def without_addresses(model: Model) -> Model:
    """Return the model, or where its package may open addresses, a copy that is asked nothing with one."""
    kind = type(model)
    if any(base.__module__.partition(".")[0] in HANDING_ON for base in kind.__mro__):
        return model
    own = [name for name in METHODS if getattr(kind, name) is not getattr(BaseChatModel, name)]
    return overriding(model, {name: refusing(getattr(kind, name)) for name in own})


def refusing(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that asks as this one does, and raises AddressRefused before it would open a file."""

    def method(self: BaseChatModel, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        if any(map(is_address, texts_of_files(messages))):
            raise AddressRefused(REFUSED)
        return ask(self, messages, *args, **kwargs)

    return method


def is_address(text: str) -> bool:
    return text[:8].lower().startswith(WEB)


def texts_of_files(messages: Iterable[BaseMessage]) -> Iterator[str]:
    """Yield the texts of blocks that are no text."""
    for message in messages:
        for block in file_blocks(message):
            yield from (text for _, text in texts_in(block))


def file_blocks(message: BaseMessage) -> Iterator[Mapping[str, Any]]:
    """Yield the blocks of a message's content that are no text: files, and what a provider adds."""
    blocks = message.content if isinstance(message.content, list) else []
    yield from (block for block in blocks if isinstance(block, dict) and block.get("type") != "text")


def texts_in(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the texts of a block by their names, also those in what it holds."""
    pending = [block]
    while pending:
        for name, value in pending.pop().items():
            if isinstance(value, str):
                yield name, value
            elif isinstance(value, dict) and name not in ARGUMENTS:
                pending.append(value)
