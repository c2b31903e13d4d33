"""A graph as it runs: what it says, which tools it calls, what it tells, and what it returns.

Tokens are told of the calls that may answer (`answering`), one message at a time. A
message that turns out to be no part of the answer is taken back. What the last state says is the answer; the
run compares it with what was told, so that a viewer is never left with anything else.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import Command, Interrupt

from gatehouse.problems.approvals import CannotAsk, CheckpointGone
from gatehouse.runs.continuing import pending_calls, pending_in
from gatehouse.runs.conversation.places import GOING_ON, STATE, GoingOn, StatePlace, state_key
from gatehouse.runs.sources.answers import BETWEEN, closing, messages_in, of_messages, text_of
from gatehouse.runs.sources.graphs.answering import Answering
from gatehouse.runs.sources.steps import (
    NOTHING,
    Asked,
    Interrupted,
    Path,
    Returned,
    Said,
    StateChanged,
    Step,
    TakenBack,
    Told,
    steps_in,
)

INTERRUPT = "__interrupt__"  # the key of interrupts in what a graph streams and returns

Graph = Pregel[Any, Any, Any, Any]


async def graph_steps(
    graph: Graph, value: Any, config: RunnableConfig, answering: Answering, keeps: bool = False
) -> AsyncIterator[tuple[Step | None, Any]]:
    """Yield each step (or None) with what the graph's own stream yields for it (or NOTHING).

    With a checkpointer, a run that was begun before goes on after its last finished step, with the answers
    to what it asked; while one is missing it asks again. `keeps` says that its checkpoints are the thread's
    memory. Raises CannotAsk and CheckpointGone.
    """
    going = config.get("configurable", {}).get(GOING_ON, GoingOn({}, told=False))
    config = checkpointed(config, keeps)
    if resumed := await begun(graph, config):
        config = newest(config)
        value = await resuming(graph, config, going.answers)
        if isinstance(value, Interrupted):
            yield value, NOTHING
            return
        # what has asked a person was not cut off by a crash
        pending_calls.set(frozenset() if going.answers else await pending(graph, config))
    elif going.answers:
        raise CheckpointGone
    own, following = graph.stream_mode, Following(answering, resumed, graph.output_channels, going.told)
    stream = graph.astream(
        value,
        config,
        stream_mode=["messages", "updates", "custom", "values"],
        subgraphs=True,
        durability=durability_of(graph),
    )
    async for namespace, mode, payload in cast("AsyncIterator[tuple[tuple[str, ...], str, Any]]", stream):
        path = tuple(part.partition(":")[0] for part in namespace)
        if not path and mode in own:
            yield None, payload if isinstance(own, str) else (mode, payload)
        for step in following.steps(mode, payload, path):
            yield step, NOTHING
    if following.asked:
        yield following.interrupted(graph), NOTHING
        return
    if resumed and following.state is None:  # it had ended, and nobody was told
        following.state = (await graph.aget_state(config)).values
    for step in following.last_steps():
        yield step, NOTHING
    yield Returned(following.output, await checkpoint_of(graph, config) if keeps else ""), NOTHING


async def graph_output(graph: Graph, value: Any, config: RunnableConfig, keeps: bool = False) -> Any:
    """Return what the graph returns."""
    return await graph.ainvoke(value, checkpointed(config, keeps), durability=durability_of(graph))


def checkpointed(config: RunnableConfig, keeps: bool) -> RunnableConfig:
    """Return the config under which a graph keeps its checkpoints: those of this run alone, or of its thread.

    A thread's are found by its owner's ids too, whatever anybody calls a thread. The run goes on from the
    checkpoint that its question follows, on whatever branch that is.
    """
    configurable = dict(config.get("configurable", {}))
    place: StatePlace | None = configurable.pop(STATE, None)
    configurable.pop(GOING_ON, None)
    thread_id = configurable.get("thread_id")
    configurable["thread_id"] = configurable.get("run_id", "")
    if keeps and place is not None and thread_id:
        owner = configurable["tenant_id"], configurable["user_id"]
        configurable["thread_id"] = state_key(*owner, thread_id, place.root)
        if place.checkpoint_id:
            configurable["checkpoint_id"] = place.checkpoint_id
    return {**config, "configurable": configurable}


async def resuming(
    graph: Graph, config: RunnableConfig, answers: Mapping[str, Any]
) -> Command[Any] | Interrupted | None:
    """Return what a graph goes on with from its newest checkpoint: None, or the answers to all that it asks.

    While one is missing it is what is asked.
    """
    asked = tuple(asked_of(one) for one in (await graph.aget_state(config)).interrupts)
    if any(one.id not in answers for one in asked):
        return Interrupted(asked)
    return Command(resume={one.id: answers[one.id] for one in asked}) if asked else None


def asked_of(interrupt: Interrupt, path: Path = ()) -> Asked:
    return Asked(interrupt.id, interrupt.value, interrupt.response_schema, path)


def interrupts_in(update: Any) -> Sequence[Interrupt]:
    """Return the interrupts that a piece of a graph's stream, or its output, tells of."""
    found = update.get(INTERRUPT) if isinstance(update, dict) else None
    return tuple(one for one in found or () if isinstance(one, Interrupt))


def newest(config: RunnableConfig) -> RunnableConfig:
    """Return the config of the newest checkpoint, whatever it follows."""
    rest = {name: value for name, value in config["configurable"].items() if name != "checkpoint_id"}
    return {**config, "configurable": rest}


async def checkpoint_of(graph: Graph, config: RunnableConfig) -> str:
    """Return the id of the newest checkpoint, from which the next question of the thread goes on."""
    state = await graph.aget_state(newest(config))
    return str(state.config["configurable"].get("checkpoint_id", ""))


async def begun(graph: Graph, config: RunnableConfig) -> bool:
    """Tell whether an earlier attempt at this run has left a checkpoint."""
    configurable = config["configurable"]
    if not graph.checkpointer or configurable.get("attempt", 1) == 1:
        return False
    state = await graph.aget_state(newest(config))
    return state.created_at is not None and (state.metadata or {}).get("run_id") == configurable.get("run_id")


async def pending(graph: Graph, config: RunnableConfig) -> frozenset[str]:
    """Return the ids of the tool calls that the newest checkpoint has no answers of."""
    return pending_in(messages_in((await graph.aget_state(config)).values) or ())


def durability_of(graph: Graph) -> Any:
    """Return when checkpoints are written: a tool call that is done, before the next step begins."""
    return "sync" if graph.checkpointer else None


class Following:
    """Makes steps of what a graph streams; `state` is its state so far, `channels` those that it returns.

    `asked` is what it waits for, by id. With `told`, the viewers have what was told before it was resumed.
    """

    def __init__(
        self, answering: Answering, resumed: bool, channels: str | Sequence[str], told: bool = False
    ) -> None:
        self.state: Any = None
        self.asked: dict[str, Asked] = {}
        self._told = told
        self._channels = channels
        self._resumed = resumed
        self._telling = Telling(answering)
        self._writing = Writing()

    def steps(self, mode: str, payload: Any, path: Path) -> Iterator[Step]:
        """Yield the steps that a piece of the stream is."""
        if mode == "messages":
            yield from self._telling.heard(*payload, path=path)
        elif mode == "custom":
            yield Told(payload, path)
        elif mode == "updates":
            for interrupt in interrupts_in(payload):  # first of a subgraph, and then of the graph around it
                self.asked.setdefault(interrupt.id, asked_of(interrupt, path))
            again = self._told and is_cached(payload)
            for step in self._writing.changes(payload, path):
                if again:
                    continue
                self._telling.finished(step)
                yield step
        else:
            if self._writing.began(payload) and self._resumed:
                for said in self._telling.resumed(payload):
                    if not self._told:
                        yield said
            self.state = self.state if path else payload

    def interrupted(self, graph: Graph) -> Interrupted:
        """Return what the graph waits for. Raises CannotAsk for one that keeps nothing to go on from."""
        if not graph.checkpointer:
            raise CannotAsk
        return Interrupted(tuple(self.asked.values()))

    @property
    def output(self) -> Any:
        """What the graph returns: its output schema may leave out what its nodes keep for themselves."""
        if isinstance(self._channels, str) or not isinstance(self.state, dict):
            return self.state
        return {name: value for name, value in self.state.items() if name in self._channels}

    def last_steps(self) -> Iterator[Step]:
        """Yield what is left to say when the graph has ended."""
        yield from self._telling.missed(self.output)


class Telling:
    """Which of the words that are said in a graph are told: those of one message of the answer at a time."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._answers: dict[str, bool] = {}  # by the names of where a message is said
        self._current: str | None = None  # the id of the message that is being told
        self._done = True
        self._calls = False  # it calls tools, so that what follows is of the same answer
        self._waiting = ""  # blanks at its beginning
        self._any = False  # something of it was told
        self._before = False  # something of an earlier one stands

    def heard(self, message: Any, metadata: dict[str, Any], *, path: Path) -> Iterator[Step]:
        """Yield what is to be told of a piece of a message."""
        if not isinstance(message, AIMessage) or not self._may_answer(metadata, path):
            return
        if message.id != self._current:
            if not self._done:  # two speak at once: the second is told when it turns out to be the answer
                return
            if self._current is not None and self._any and not self._calls:
                yield TakenBack()
                self._before = False
            self._before = self._before or self._any
            self._current, self._calls, self._waiting, self._any = message.id, False, "", False
        chunk = isinstance(message, AIMessageChunk)
        self._calls = self._calls or bool(message.tool_calls or (chunk and message.tool_call_chunks))  # type: ignore[attr-defined]
        self._done = not chunk or message.chunk_position == "last"  # type: ignore[attr-defined]
        yield from self._told(message)

    def resumed(self, state: Any) -> Iterator[Step]:
        """Yield what an earlier attempt has said of the answer, out of the state that it left."""
        said = [message for message in closing(messages_in(state) or ()) if isinstance(message, AIMessage)]
        if text := of_messages(said).text:
            self._any, self._calls, self._current = True, True, ""
            yield AIMessageChunk(content=text)

    def missed(self, state: Any) -> Iterator[Step]:
        """Yield the answer of the last state if nothing of any was told: nobody said it word by word."""
        messages = messages_in(state)
        answer = of_messages(closing(messages)) if messages else None
        if answer and answer.text and not (self._any or self._before):
            yield AIMessageChunk(content=answer.text)

    def finished(self, step: Step) -> None:
        """Note that a message is in the state: then it is over, whether its last piece said so or not."""
        if isinstance(step, Said) and step.message.id == self._current:
            self._done = True

    def _may_answer(self, metadata: dict[str, Any], path: Path) -> bool:
        node = str(metadata.get("langgraph_node", ""))
        key = "\n".join((*path, node))
        if key not in self._answers:
            self._answers[key] = self._answering.includes((*path, node))
        return self._answers[key]

    def _told(self, message: AIMessage) -> Iterator[Step]:
        text = self._waiting + text_of(message)
        if text and not self._any and not text.strip():  # a message of nothing but blanks is no part
            self._waiting, text = text, ""
        elif text:
            self._waiting = ""
        if text and not self._any and self._before:
            text = BETWEEN + text
        self._any = self._any or bool(text)
        yield as_chunk(message, text)


def is_cached(update: Any) -> bool:
    """Tell whether a node wrote this in an earlier attempt, and is not run again."""
    about = update.get("__metadata__") if isinstance(update, dict) else None
    return isinstance(about, dict) and bool(about.get("cached"))


def as_chunk(message: AIMessage, text: str) -> AIMessageChunk:
    """Return a piece of a message with this text, and what it tells of thoughts and of usage.

    Without its tool calls: a client adds the chunks up, and calls of different turns would merge into one.
    """
    thoughts = message.additional_kwargs.get("reasoning_content")
    return AIMessageChunk(
        content=text,
        id=message.id,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        additional_kwargs={"reasoning_content": thoughts} if thoughts else {},
    )


class Writing:
    """What the nodes of a graph wrote to its state: each message once, and none that was there before."""

    def __init__(self) -> None:
        self._known: set[str | int] = set()
        self._begun = False

    def began(self, state: Any) -> bool:
        """Note the messages that a graph began with, if this is its first state; tell whether it is."""
        first, self._begun = not self._begun, True
        if first:
            self._known.update(map(key_of, messages_of(state)))
        return first

    def changes(self, update: Any, path: Path) -> Iterator[Step]:
        """Yield what the nodes of one step wrote, and the messages among it."""
        if not isinstance(update, dict):
            return
        for node, written in update.items():
            if node.startswith("__"):  # an interrupt, or what LangGraph keeps for itself
                continue
            for part in written if isinstance(written, list | tuple) else [written]:
                if part is not None:
                    yield StateChanged(node, part, path)
                    yield from self._messages(part, path)

    def _messages(self, written: Any, path: Path) -> Iterator[Step]:
        for message in messages_of(written):
            if key_of(message) not in self._known:
                self._known.add(key_of(message))
                yield from steps_in(message, path)


def key_of(message: BaseMessage) -> str | int:
    return message.id or id(message)


def messages_of(written: Any) -> Iterator[BaseMessage]:
    """Yield the messages that a node wrote, whatever the field."""
    if not isinstance(written, dict):
        return
    for value in written.values():
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, BaseMessage):
                yield item
