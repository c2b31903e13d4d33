"""The body of a chat completion: what of it is taken, what is ignored, and what is refused."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gatehouse.registry.entry import ServedEntry
from gatehouse.wires.openai.errors import InvalidValue, UnsupportedParameter
from gatehouse.wires.openai.tools import Bound, bound_schema, bound_tools

Metadata = Annotated[dict[str, Any], Field(max_length=16)]


class StreamOptions(BaseModel):
    include_usage: bool | None = None


class ChatCompletion(BaseModel):
    """A chat that is to be gone on with.

    Settings of the model (`temperature` and so on) are ignored, unless the runnable lets a client configure
    one of that name. Other fields of OpenAI's are taken and change nothing; those that would change the
    answer are refused by name.
    """

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=200, examples=["agent"])
    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)] = Field(
        examples=[[{"role": "user", "content": "How is my portfolio doing?"}]]
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: Metadata | None = Field(
        None,
        description="`thread_id` names a thread of the caller's: it goes on, and the last message is taken",
    )
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = Field(None, max_length=128)
    tool_choice: Any = None
    functions: list[dict[str, Any]] | None = Field(None, max_length=128)
    response_format: dict[str, Any] | None = None
    modalities: list[str] | None = None
    logit_bias: dict[str, float] | None = None
    web_search_options: dict[str, Any] | None = None

    @property
    def includes_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


def refuse_unsupported(body: ChatCompletion, entry: ServedEntry) -> None:
    """Raise UnsupportedParameter for what would change the answer, and is not done here."""
    refused = {
        "n": (body.n or 1) != 1,
        "logprobs": bool(body.logprobs),
        "top_logprobs": bool(body.top_logprobs),
        "functions": bool(body.functions),
        "modalities": bool({*(body.modalities or ())} - {"text"}),
        "logit_bias": bool(body.logit_bias),
        "web_search_options": body.web_search_options is not None,
    }
    for name, present in refused.items():
        if present:
            raise UnsupportedParameter(name, f"The model {entry.name} does not take {name}.")


def bound_by(body: ChatCompletion, entry: ServedEntry) -> Bound:
    """Return what the request binds to a model that is served alone: tools, or a schema of the answer.

    Raises UnsupportedParameter, InvalidValue.
    """
    tools = bound_tools(entry, [function_of(tool) for tool in body.tools or ()], choice_of(body.tool_choice))
    given = body.response_format or {}
    described = given.get("json_schema") or {}
    if not isinstance(described, dict):
        raise InvalidValue("response_format", "Its json_schema is an object with a name and a schema.")
    schema = bound_schema(entry, {"type": "text", **given, **described}, "response_format")
    if tools and schema:
        raise UnsupportedParameter("response_format", "Give tools or a json_schema, not both.")
    return tools | schema


def function_of(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        raise UnsupportedParameter("tools", "A tool is a function.")
    return function


def choice_of(given: Any) -> Any:
    """Return which tool is to be called: auto, none, required or a name."""
    if isinstance(given, dict):
        function = given.get("function")
        return function.get("name", "") if isinstance(function, dict) else ""
    return given
