"""Lists of entries that cannot be served, by a name as in GATEHOUSE_REGISTRY."""

from typing import Any

from gatehouse import Entry


def fail(_given: object) -> Any:
    raise RuntimeError("no such prompt")


def broken_tool(_resources: object) -> Any:
    raise RuntimeError("no such table")


NO_SLASH = [Entry("no-slash", fail, "Nothing.")]
UNDESCRIBED = [Entry("/broken", fail, "")]
UNBUILT = [Entry("/broken", fail, "Does not build.")]
UNEQUIPPED = [
    Entry("/broken", lambda parts: parts.model, "Has a tool that does not build.", tools=[broken_tool])
]
