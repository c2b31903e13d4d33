"""LangServe's operations, as the layers around all routes have to know them."""

from collections.abc import Iterable

from gatehouse.registry.entry import Entry
from gatehouse.web.paths import Paths

STREAMS = frozenset({"stream", "stream_events", "stream_log"})
STARTS = STREAMS | {"invoke", "batch"}


def paths_of(entries: Iterable[Entry]) -> Paths:
    """Return the paths of the entries' routes."""
    operations = [(entry.path, endpoint) for entry in entries for endpoint in STARTS]
    return Paths(
        starts=frozenset(("POST", f"{path}/{endpoint}") for path, endpoint in operations),
        streams=frozenset(
            ("POST", f"{path}/{endpoint}") for path, endpoint in operations if endpoint in STREAMS
        ),
    )
