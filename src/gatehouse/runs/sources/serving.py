"""A runnable with what the registry knows of it: how its input is made, and which of its words are told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from langgraph.runtime import Runtime

from gatehouse.runs.conversation.places import state_key
from gatehouse.runs.sources.binding import bound_to
from gatehouse.runs.sources.graphs.answering import Answering
from gatehouse.runs.sources.graphs.streaming import RUNTIME
from gatehouse.runs.sources.steps import is_stepwise
from gatehouse.runs.sources.unwrapping import has_graph, may_return_graph, own_step_limit, store_of


def as_it_is(value: Any) -> Any:
    """Return JSON as the runnable takes it: unchanged."""
    return value


def beside(value: Any, messages: Sequence[BaseMessage]) -> Any:
    """Return an input with what was said before in `history`."""
    return {**value, "history": list(messages)}


def without(value: Any, _files: Sequence[Mapping[str, Any]]) -> Any:
    """Return an input that has no place for files."""
    return value


@dataclass(frozen=True, slots=True)
class Caching:
    """For how many seconds the answers of an entry are given again, and which version of it gave them."""

    seconds: int
    version: str = ""


@dataclass(frozen=True, slots=True)
class Serving:
    """What an execution needs of a runnable.

    `typed` makes what the runnable takes of an input's JSON; `with_history` adds a thread's messages to that,
    and `with_files` files.
    `answering` are the answering nodes of a graph; None: they are read off it. `memory` is what a thread
    keeps, `shows_state` says that viewers are told of a graph's state. `sessions` are the fields by which
    LangChain's own wrapper finds a history, `order` the names of what an object has that is returned.
    `caching` is there where an answer may be given again.
    `context` makes the context of a graph out of what is in `configurable`, `own_step_limit` is the number of
    steps that it was made with.
    """

    runnable: Runnable[Any, Any]
    typed: Callable[[Any], Any] = as_it_is
    with_history: Callable[[Any, Sequence[BaseMessage]], Any] = beside
    with_files: Callable[[Any, Sequence[Mapping[str, Any]]], Any] = without
    answering: Answering | None = None
    memory: Literal["messages", "state", "none"] = "messages"
    shows_state: bool = False
    sessions: Sequence[str] = ()
    order: Sequence[str] = ()
    caching: Caching | None = None
    context: Callable[[Mapping[str, Any]], Any] | None = None
    has_graph: bool = field(
        init=False
    )  # to look through all of its parts takes 0.1 ms, and it stays the same
    may_return_graph: bool = field(init=False)
    own_step_limit: int | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "has_graph", has_graph(self.runnable))
        object.__setattr__(self, "may_return_graph", may_return_graph(self.runnable))
        object.__setattr__(self, "own_step_limit", own_step_limit(self.runnable))

    def configurable(self, client: Mapping[str, Any], server: Mapping[str, Any]) -> dict[str, Any]:
        """Return `configurable`: what the client may configure, and over it what the server says.

        A history that LangChain's own wrapper keeps is found by names of ours (`sessions`): those of the
        caller's own, by default one for the thread, so that nobody reads another's.
        """
        whole = {**client, **server}
        owner = server.get("tenant_id", ""), server.get("user_id", "")
        for name in self.sessions:
            if name not in server:
                mine = client.get(name) or server.get("thread_id") or server.get("run_id")
                whole[name] = state_key(*map(str, (*owner, mine)))
        if self.context is not None:
            whole[RUNTIME] = Runtime(context=self.context(whole), store=store_of(self.runnable))
        return whole

    def bound(self, client: Mapping[str, Any]) -> "Serving":
        """Return it with what a client binds to its model: `bound` of what its entry lets a client say."""
        bound = client.get("bound")
        return replace(self, runnable=bound_to(self.runnable, bound)) if bound else self

    @property
    def keeps_state(self) -> bool:
        """Tell whether a thread's memory is the graph's own state."""
        return self.memory == "state"

    @property
    def keeps_checkpoints(self) -> bool:
        """Tell whether a run of it leaves checkpoints under the run's own id."""
        return is_stepwise(self.runnable) or self.has_graph

    def input_of(
        self, value: Any, before: Sequence[BaseMessage] | None, files: Sequence[Mapping[str, Any]] = ()
    ) -> Any:
        """Return what the runnable takes for an input's JSON.

        `before` are the messages of its thread, `files` content blocks that are asked about.
        """
        typed = self.with_files(self.typed(value), files) if files else self.typed(value)
        return typed if before is None or self.memory != "messages" else self.with_history(typed, before)


def serving_of(runnable: "Runnable[Any, Any] | Serving") -> Serving:
    """Return a runnable as it is served; a bare one takes JSON, and `history` beside it."""
    return runnable if isinstance(runnable, Serving) else Serving(runnable)
