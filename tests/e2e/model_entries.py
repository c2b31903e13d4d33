"""The demonstration, and a chat model alone, which takes a client's tools and schemas."""

from chains.registry import REGISTRY as DEMONSTRATION
from gatehouse import Entry

REGISTRY = (
    *DEMONSTRATION,
    Entry("/model", lambda parts: parts.model, "The model alone.", client_tools=True),
)
