"""What is said of a runnable that is served, and what its factory is handed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import ConfigurableFieldSpec, Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore
from pydantic import ByteSize, TypeAdapter

from gatehouse.approvals.deciders import Deciders
from gatehouse.registry.shapes.shape import Shape
from gatehouse.settings.mcp import McpServer, ServerName
from gatehouse.tools.acting import Acts
from gatehouse.tools.building import ToolEntry

OWNER = Deciders()
OF_TOOLS = "mcp/"  # before the names of tools that are served alone; Gatehouse itself answers under it
Traced = Literal["tags", "metadata"]
TRACED: tuple[Traced, ...] = ("tags", "metadata")
ENDPOINTS = frozenset(
    (
        *("invoke", "batch", "stream", "stream_log", "stream_events"),
        *("input_schema", "output_schema", "config_schema", "playground"),
        *("config_hashes", "token_feedback"),
    )
)
OF_CHATS = frozenset(("input_schema", "output_schema", "config_hashes"))
# what LangServe has beside these: docs/migrating.md says why they are not served
NEVER_SERVED = frozenset(("public_trace_link",))
SIZES = TypeAdapter(ByteSize)  # to make one takes a quarter of a millisecond
SERVERS = TypeAdapter(dict[ServerName, McpServer])


@dataclass(frozen=True, slots=True)
class Parts:
    """What a factory is handed to build its runnable from.

    `tools` are those of its entry; `store` is LangGraph's, and has the items of whoever calls.
    """

    model: BaseChatModel
    tools: Sequence[BaseTool] = ()
    checkpointer: BaseCheckpointSaver[Any] | None = None
    store: BaseStore | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One runnable and how it is served.

    `path` starts with a slash; its segments are lower-case. `tools` are tools, or factories of them that are
    handed `Resources`; the factory gets them built, in `Parts`. `scope` is what a caller needs; by default
    `runnable:<name>`. `example` is a question for it, which a development server's banner asks. `default` is
    for the one that answers what is asked of no runnable in particular; without one the first does.

    `input_type` and `output_type` take the place of the types that are read off the runnable. A graph of
    messages whose output is a message (`AIMessageChunk`) is served as one that takes text and streams its
    answer. `answering` names the nodes of a graph that answer, where that cannot be read off it.
    `configurable` names the fields that a client may configure; `client_history` says that a client may send
    what an assistant said before, `client_tracing` that its tags and metadata reach traces, or which of them.
    `mcp` makes it a tool of the MCP server under `/mcp`, and `mcp_tools` those of its `tools` that are named.
    `mcp_servers` names those of GATEHOUSE_MCP_SERVERS whose tools it gets beside its own, or has servers by
    their names, each with what that setting says of one. `client_tools` is for a chat model that is served
    alone: a client may bind its own tools and a schema to it, and say its system messages too. `memory` is
    what a thread keeps: its messages, the graph's own state, or nothing. `checkpoint_types` are types of
    objects in a state that its declaration does not name; LangChain's own are known. `max_body` is the
    largest request for it, in bytes or as "10MB", where that is more than GATEHOUSE_MAX_BODY_BYTES.

    `cache_seconds` says that it answers the same caller's same question alike, and for how long such an
    answer is given again, without asking its model; `cache_version` is changed with what it would answer.

    `approve` says of some of the `tools`, by their names, what a person may decide before each call, such as
    {"transfer": "approve edit reject"}; `deciders` who that may be, by default whoever asked.

    For LangServe's routes alone: `enabled_endpoints` or `disabled_endpoints` say which of them there are, as
    in `add_routes`. `include_callback_events` sends what happened in a run with the answers of `invoke` and
    `batch`: whoever may ask sees what every step was given. `enable_feedback_endpoint` says whether
    feedback is taken; by default it is where LangSmith is configured. `token_feedback` are keys of feedback:
    for each, LangSmith's token comes with an answer, by which its run can be judged.
    """

    path: str
    factory: Callable[[Parts], Runnable[Any, Any]]
    description: str
    tools: Sequence[ToolEntry] = ()
    input_type: Any = None
    output_type: Any = None
    playground: Literal["default", "chat"] = "default"
    scope: str = ""
    example: str = ""
    default: bool = False
    answering: Sequence[str] = ()
    configurable: Sequence[str] = ()
    client_history: bool = False
    client_tools: bool = False
    client_tracing: bool | Collection[Traced] = False
    mcp: bool = False
    mcp_tools: Sequence[str] = ()
    mcp_servers: Sequence[str] | Mapping[str, Mapping[str, Any]] = field(default=(), repr=False)
    memory: Literal["messages", "state", "none"] = "messages"
    approve: Mapping[str, str] = field(default_factory=dict)
    deciders: Deciders = OWNER
    shows_state: bool = False
    checkpoint_types: Sequence[type] = ()
    max_body: int | str = 0
    cache_seconds: int = 0
    cache_version: str = ""
    enabled_endpoints: Sequence[str] | None = None
    disabled_endpoints: Sequence[str] | None = None
    include_callback_events: bool = False
    enable_feedback_endpoint: bool | None = None
    token_feedback: Sequence[str] = ()

    @property
    def name(self) -> str:
        return self.path.removeprefix("/")

    @property
    def required_scope(self) -> str:
        return self.scope or f"runnable:{self.name}"

    @property
    def mcp_name(self) -> str:
        """What MCP's clients call it, who take letters, digits, - and _."""
        return self.name.removeprefix(OF_TOOLS).replace("/", "__")

    @property
    def own_servers(self) -> dict[str, McpServer]:
        """The MCP servers that it has itself, by their names. Raises ValidationError."""
        own = self.mcp_servers
        return SERVERS.validate_python(own) if isinstance(own, Mapping) else {}

    @property
    def max_bytes(self) -> int:
        """The largest request body for it; 0 where the server's own limit holds. Raises ValidationError."""
        return int(SIZES.validate_python(self.max_body))

    @property
    def takes_history(self) -> bool:
        """Tell whether a client may send an assistant's messages; a chat playground has to."""
        return self.client_history or self.client_tools or self.playground == "chat"

    @property
    def client_traces(self) -> frozenset[Traced]:
        """What of a client's config reaches traces."""
        if isinstance(self.client_tracing, bool):
            return frozenset(TRACED if self.client_tracing else ())
        return frozenset(self.client_tracing)

    @property
    def endpoints(self) -> frozenset[str]:
        """LangServe's endpoints that there are. Its playground asks nothing but `stream_log`.

        One for chats asks for the schemas too, by a path with a config in it.
        """
        given, without = self.enabled_endpoints, self.disabled_endpoints or ()
        found = ENDPOINTS.intersection(ENDPOINTS if given is None else given).difference(without)
        if "stream_log" not in found:
            return found - {"playground"}
        return found | OF_CHATS if self.playground == "chat" and "playground" in found else found


@dataclass(frozen=True, slots=True)
class ToolAlone:
    """A tool that is served without an agent: the JSON Schema of its arguments, and whether it acts."""

    name: str
    arguments: Mapping[str, Any]
    acts: Acts | None


@dataclass(frozen=True, slots=True)
class ServedEntry(Entry):
    """An entry with what is read off its runnable.

    `fields` are those that a client may configure, `withheld` the names of the others. `alone` are the
    entries of those of its tools that MCP's clients may call; each of these has a `tool`.
    """

    shape: Shape = field(kw_only=True)
    fields: Sequence[ConfigurableFieldSpec] = field(default=(), kw_only=True)
    withheld: frozenset[str] = field(default=frozenset(), kw_only=True)
    alone: Sequence["ServedEntry"] = field(default=(), kw_only=True)
    tool: ToolAlone | None = field(default=None, kw_only=True)

    @property
    def told_over_mcp(self) -> tuple["ServedEntry", ...]:
        """What MCP's clients may call of it: itself, and its tools."""
        return (*((self,) if self.mcp else ()), *self.alone)
