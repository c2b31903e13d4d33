"""One call of a tool of another MCP server, in as many rounds as the server asks something back."""

from collections.abc import Mapping
from typing import Any

import structlog
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import ToolException
from langgraph.types import interrupt
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    REQUEST_TIMEOUT,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    InputResponses,
    TextContent,
)

from gatehouse.identity.caller import Caller
from gatehouse.settings.mcp import McpServer
from gatehouse.tools.remote.connecting import connected
from gatehouse.tools.remote.identity import Identity, NoToken

log = structlog.get_logger(__name__)

EFFECT_KEY = "gatehouse/effect_key"  # in the _meta of a call: the same when it is made again after a crash
ELICITATION = "mcp_elicitation"  # the type of what is asked of a person
MOST_ROUNDS = 10
UNSURE = {CONNECTION_CLOSED, REQUEST_TIMEOUT, INTERNAL_ERROR}  # a call may have been made all the same
CHECKPOINTER = "__pregel_checkpointer"  # LangGraph's: where a graph keeps what it waits with


class NoAnswer(Exception):
    """A call was sent, and nobody knows whether the server has made it."""


class Remote:
    """One server's way to be called."""

    def __init__(self, name: str, server: McpServer, issuer: str) -> None:
        self.name = name
        self.server = server
        self.identity = Identity(server, issuer)

    async def call(self, tool: str, arguments: dict[str, Any], caller: Caller, *, acts: bool) -> str:
        """Return what a tool says. What the server asks back waits for a person, as an approval.

        Raises ToolException, with what a model may know of a failure; NoAnswer for a tool that acts.
        """
        answers: InputResponses | None = None
        state: str | None = None
        for _ in range(MOST_ROUNDS):
            result = await self._round(tool, arguments, caller, answers, state, acts=acts)
            if isinstance(result, CallToolResult):
                return text_of(result)
            # outside the connection: to wait for a person ends the attempt
            answers = {key: self._asked(tool, asked) for key, asked in (result.input_requests or {}).items()}
            state = result.request_state
        raise ToolException("The server of this tool has asked too often.")

    async def _round(
        self, tool: str, arguments: dict[str, Any], caller: Caller, answers: InputResponses | None,
        state: str | None, *, acts: bool,
    ) -> CallToolResult | InputRequiredResult:  # fmt: skip
        meta: Any = {EFFECT_KEY: caller.effect_key} if caller.effect_key else None
        sent = False
        try:
            async with connected(self.server, await self.identity.headers(caller)) as client:
                sent = True
                return await client.session.call_tool(
                    tool, arguments, input_responses=answers, request_state=state, meta=meta,
                    allow_input_required=True,
                )  # fmt: skip
        except Exception as error:  # whatever it is that another's server does
            first = first_of(error)
            log.warning("an MCP server did not answer", server=self.name, tool=tool, error=reason_of(first))
            if isinstance(first, MCPError) and first.error.code not in UNSURE:
                raise ToolException("The server of this tool has refused the call.") from error
            if acts and sent:
                raise NoAnswer from error
            raise ToolException(f"The server of this tool does not answer: {self.name}.") from error

    def _asked(self, tool: str, asked: Any) -> ElicitResult:
        """Return what a person answers to the server; until then the run waits."""
        if not isinstance(asked, ElicitRequest):
            raise ToolException("The server of this tool asks for what it may not.")
        if not (ensure_config().get("configurable") or {}).get(CHECKPOINTER):
            raise ToolException("The server of this tool asks a person, and this agent cannot wait for one.")
        params = asked.params
        form = params.requested_schema if isinstance(params, ElicitRequestFormParams) else None
        about = {"requested_schema": form} if form is not None else {"url": params.url}  # type: ignore[union-attr]
        value = {"type": ELICITATION, "server": self.name, "tool": tool, "message": params.message, **about}
        return ElicitResult.model_validate(interrupt(value, response_schema=answer_to(form)))


def answer_to(form: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the schema of an answer: accepted, with what a form wants, or declined."""
    content = {"content": form} if form is not None else {}
    return {
        "type": "object",
        "oneOf": [
            {"properties": {"action": {"const": "accept"}, **content}, "required": ["action", *content]},
            {"properties": {"action": {"const": "decline"}}, "required": ["action"]},
        ],
    }


def text_of(result: CallToolResult) -> str:
    """Return what a result says. Raises ToolException for a failure, with what the server says of it."""
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        raise ToolException(text or "The tool failed.")
    return text


def first_of(error: BaseException) -> BaseException:
    """Return an error, of a group the first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def reason_of(error: BaseException) -> str:
    """Return what is logged of an error: its class, since its message may hold anything; or our own words."""
    return str(error) if isinstance(error, NoToken) else type(error).__name__
