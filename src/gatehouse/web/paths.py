"""What is known of an operation before its route is asked: each wire, and each page, declares its own."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.routing import compile_path

Operation = tuple[str, str]  # method and path, which may hold {parameters}


@dataclass(frozen=True, slots=True)
class Paths:
    """Operations by what has to be known of them before they are routed.

    `public` need no credential. `starts` begin runs: they are charged when it is known how many. `streams`
    keep their connection for as long as a run goes on. What is named in none of them is charged before its
    body is read, and needs a credential.
    """

    public: frozenset[Operation] = frozenset()
    starts: frozenset[Operation] = frozenset()
    streams: frozenset[Operation] = frozenset()

    def __or__(self, other: "Paths") -> "Paths":
        return Paths(self.public | other.public, self.starts | other.starts, self.streams | other.streams)


class Matching:
    """Operations, some of whose paths hold parameters, as a set that requests are looked up in."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        named = frozenset(operations)
        self._exact = frozenset(operation for operation in named if "{" not in operation[1])
        self._patterns = [(method, compile_path(path)[0]) for method, path in named - self._exact]

    def __contains__(self, operation: Operation) -> bool:
        if operation in self._exact:
            return True
        method, path = operation
        return any(method == wanted and pattern.match(path) for wanted, pattern in self._patterns)
