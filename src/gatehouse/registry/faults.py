"""What is wrong with an entry as it is written, before its runnable is built."""

import re
from collections.abc import Sequence

from pydantic import ValidationError

from gatehouse.registry.entry import ENDPOINTS, NEVER_SERVED, TRACED, Entry, ServedEntry

PATH = re.compile(r"(/[a-z0-9][a-z0-9_-]*)+")
OPERATIONS = {
    "invoke",
    "batch",
    "stream",
    "stream_log",
    "stream_events",
    "playground",
    "feedback",
    "token_feedback",
}


def fault_of(entry: object, seen: set[str]) -> str | None:
    """Return what is wrong with an entry after those whose paths were `seen`, None when nothing is."""
    if not isinstance(entry, Entry):
        return f"{entry!r:.80} is {type(entry).__name__}, not an Entry"
    if not PATH.fullmatch(entry.path):
        return f"{entry.path!r}: a path is one or more segments, each a slash and then a-z, 0-9, - and _"
    if entry.path.rpartition("/")[2] in OPERATIONS:
        return f"{entry.path}: LangServe has operations of this name, so it can end no path"
    if entry.path in seen:
        return f"{entry.path}: this path is in the registry twice"
    fault = fault_of_options(entry) or fault_of_servers(entry)
    return f"{entry.path}: {fault}" if fault else None


def fault_of_options(entry: Entry) -> str | None:
    """Return what is wrong with the description and the lists of names of an entry, None when nothing is."""
    if not is_size(entry):
        return f"max_body {entry.max_body!r} is no size: write bytes, or as 10MB"
    if not entry.description.strip():
        return "the description is missing"
    if entry.enabled_endpoints is not None and entry.disabled_endpoints is not None:
        return "give enabled_endpoints or disabled_endpoints, not both"
    traced = None if isinstance(entry.client_tracing, bool) else entry.client_tracing
    for name, given, known in (
        ("enabled_endpoints", entry.enabled_endpoints, ENDPOINTS),
        ("disabled_endpoints", entry.disabled_endpoints, ENDPOINTS | NEVER_SERVED),
        ("client_tracing", traced, {*TRACED}),
        ("mcp_servers", entry.mcp_servers, {*entry.mcp_servers}),
        ("token_feedback", entry.token_feedback, {*entry.token_feedback}),
        ("mcp_tools", entry.mcp_tools, {*entry.mcp_tools}),
    ):
        if isinstance(given, str):
            return f"{name} is a list of names, not one"
        if unknown := sorted({*(given or ())} - known):
            return f"{name} names what there is not: {', '.join(unknown)}"
    return None


def fault_of_servers(entry: Entry) -> str | None:
    """Return what is wrong with an entry's own MCP servers, without their secrets, None when nothing is."""
    try:
        entry.own_servers  # noqa: B018  # it is read for what it raises
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        return f"mcp_servers: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return None


def is_size(entry: Entry) -> bool:
    """Tell whether an entry's `max_body` is a size."""
    try:
        return entry.max_bytes >= 0
    except ValidationError:
        return False


def called_the_same(entries: Sequence[ServedEntry]) -> str | None:
    """Return the path of an entry whose name as a tool of MCP another one has too; None without."""
    told = [one for entry in entries for one in entry.told_over_mcp]
    names = [one.mcp_name for one in told]
    return next((one.path for one in told if names.count(one.mcp_name) > 1), None)
