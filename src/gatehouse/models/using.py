"""Which runnables use the chat model: those out of which it can be reached."""

import gc
from collections import deque
from collections.abc import Iterable
from types import FunctionType, MethodType, ModuleType
from typing import Any

from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.guarded.runnable import GuardedRunnable

MOST_VISITED = 50_000  # objects; a runnable that holds more of them counts as one that uses it


class ModelUsers:
    """Remembers of each runnable of a server, by its path, whether it uses the model."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def includes(self, path: str, runnable: object | None) -> bool:
        """Tell whether a runnable uses the model; one that is not known is taken to."""
        if runnable is None:
            return True
        if path not in self._known:
            self._known[path] = uses_model(runnable)
        return self._known[path]


def uses_model(root: object) -> bool:
    """Tell whether the guarded model can be reached from an object: over its fields, items and closures."""
    seen: set[int] = set()
    waiting: deque[object] = deque([root])
    while waiting:
        found = waiting.popleft()
        if isinstance(found, GuardedChatModel | GuardedRunnable):
            return True
        if id(found) in seen:
            continue
        seen.add(id(found))
        if len(seen) > MOST_VISITED:
            return True
        waiting.extend(parts_of(found))
    return False


def parts_of(found: object) -> Iterable[Any]:
    """Return what an object holds itself: no module, no class, and of a function no globals."""
    if isinstance(found, str | bytes | int | float | type | ModuleType):
        return ()
    if isinstance(found, FunctionType):
        cells = [cell.cell_contents for cell in found.__closure__ or () if has_contents(cell)]
        return [*cells, *(found.__defaults__ or ()), *(found.__kwdefaults__ or {}).values()]
    if isinstance(found, MethodType):
        return [found.__self__, found.__func__]
    return gc.get_referents(found)


def has_contents(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a name that its function has not set yet
        return False
