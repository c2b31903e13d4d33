"""The chat model alone, without an entry of the registry: for what a user interface asks beside a chat."""

from functools import cache

from gatehouse.registry.checked import served_entry
from gatehouse.registry.entry import Entry, ServedEntry
from gatehouse.registry.unopened import UnopenedModel

PATH = "/v1"  # of which no other entry can be: Gatehouse itself answers under it


@cache
def model_entry() -> ServedEntry:
    """Return the entry of the chat model. It stands in no registry, and LangServe does not serve it."""
    entry = Entry(PATH, lambda parts: parts.model, "The chat model alone.", client_tools=True)
    return served_entry(entry, UnopenedModel())
