"""Gatehouse serves LangChain runnables and LangGraph graphs to many users.

This is the public API, for people who serve their own: docs/extending.md says what each name does, and
docs/updating.md what is promised of it. Nothing else in the package is promised. A name's module is imported
when the name is first asked for, so that `import gatehouse` costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Before LangGraph is imported: graphs then tell their checkpointer of the types in their state, and it makes
# objects of no others (gatehouse.runs.checkpoints.serializing)
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

if TYPE_CHECKING:
    from gatehouse.approvals.deciders import Deciders as Deciders
    from gatehouse.callbacks.handlers import Accumulator as Accumulator
    from gatehouse.callbacks.handlers import ProgressTracker as ProgressTracker
    from gatehouse.callbacks.handlers import StreamingWriter as StreamingWriter
    from gatehouse.callbacks.token_queue import TokenQueue as TokenQueue
    from gatehouse.identity.caller import Caller as Caller
    from gatehouse.identity.caller import caller_of as caller_of
    from gatehouse.identity.principal import Principal as Principal
    from gatehouse.main import create_app as create_app
    from gatehouse.migrations.policies import isolate_tenants as isolate_tenants
    from gatehouse.registry.checked import BadRegistry as BadRegistry
    from gatehouse.registry.entry import Entry as Entry
    from gatehouse.registry.entry import Parts as Parts
    from gatehouse.runs.sources.graphs.streaming_agent import ContainToolFailures as ContainToolFailures
    from gatehouse.runs.sources.graphs.streaming_agent import TextInput as TextInput
    from gatehouse.runs.sources.text.parser import TextParser as TextParser
    from gatehouse.settings import Settings as Settings
    from gatehouse.storage.opening import open_database as open_database
    from gatehouse.storage.tenancy import see_tenant as see_tenant
    from gatehouse.storage.tenancy import tenant_transaction as tenant_transaction
    from gatehouse.tools.acting import acts as acts
    from gatehouse.tools.acting import transaction_of as transaction_of
    from gatehouse.tools.building import Resources as Resources
    from gatehouse.tools.result import as_json as as_json
    from gatehouse.web.dependencies import principal_of as principal_of

_MODULES = {
    "Accumulator": "gatehouse.callbacks.handlers",
    "BadRegistry": "gatehouse.registry.checked",
    "Caller": "gatehouse.identity.caller",
    "ContainToolFailures": "gatehouse.runs.sources.graphs.streaming_agent",
    "Deciders": "gatehouse.approvals.deciders",
    "Entry": "gatehouse.registry.entry",
    "Parts": "gatehouse.registry.entry",
    "Principal": "gatehouse.identity.principal",
    "ProgressTracker": "gatehouse.callbacks.handlers",
    "Resources": "gatehouse.tools.building",
    "Settings": "gatehouse.settings",
    "StreamingWriter": "gatehouse.callbacks.handlers",
    "TextInput": "gatehouse.runs.sources.graphs.streaming_agent",
    "TextParser": "gatehouse.runs.sources.text.parser",
    "TokenQueue": "gatehouse.callbacks.token_queue",
    "acts": "gatehouse.tools.acting",
    "as_json": "gatehouse.tools.result",
    "caller_of": "gatehouse.identity.caller",
    "create_app": "gatehouse.main",
    "isolate_tenants": "gatehouse.migrations.policies",
    "open_database": "gatehouse.storage.opening",
    "principal_of": "gatehouse.web.dependencies",
    "see_tenant": "gatehouse.storage.tenancy",
    "tenant_transaction": "gatehouse.storage.tenancy",
    "transaction_of": "gatehouse.tools.acting",
}

__all__ = list(_MODULES)  # the names above


def __getattr__(name: str) -> Any:
    try:
        module = _MODULES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    found = globals()[name] = getattr(import_module(module), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
