"""The body of a response that is to be made: what of it is taken, what is ignored, and what is refused."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gatehouse.registry.entry import ServedEntry
from gatehouse.wires.openai.errors import InvalidValue, UnsupportedParameter

LONGEST_KEY, LONGEST_TEXT = 64, 512  # characters


def short(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata as OpenAI bounds it: every event that tells the whole response repeats it.

    Raises ValueError. How many they are is looked at before: pydantic would keep an error of each.
    """
    texts = all(isinstance(text, str) and len(text) <= LONGEST_TEXT for text in metadata.values())
    if not texts or any(len(key) > LONGEST_KEY for key in metadata):
        raise ValueError(f"keys of {LONGEST_KEY} characters with texts of {LONGEST_TEXT}, and nothing else")
    return metadata


Metadata = Annotated[dict[str, Any], Field(max_length=16), AfterValidator(short)]
Short = Annotated[str, Field(max_length=LONGEST_TEXT)]


class ResponseRequest(BaseModel):
    """Something that is asked. Other fields of OpenAI's are taken and change nothing."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=200, examples=["agent"])
    input: str | Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)] = Field(
        examples=["How is my portfolio doing?"]
    )
    instructions: str | None = None
    previous_response_id: str | None = Field(None, max_length=200, description="goes on after that answer")
    conversation: str | dict[str, Any] | None = Field(
        None, description="a thread of the caller's, by its id or any other name"
    )
    stream: bool | None = None
    store: bool | None = Field(None, description="false: nothing is kept, and nobody can come back for it")
    background: bool | None = Field(None, description="goes on without a reader")
    tools: list[dict[str, Any]] | None = Field(None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    metadata: Metadata | None = None
    top_logprobs: int | None = None
    prompt: dict[str, Any] | None = None
    user: Short | None = None
    safety_identifier: Short | None = None
    prompt_cache_key: Short | None = None
    service_tier: Short | None = None
    truncation: Short | None = None

    @property
    def stored(self) -> bool:
        return self.store is not False

    @property
    def format(self) -> dict[str, Any]:
        """The form that the answer is to have. Raises InvalidValue."""
        given = (self.text or {}).get("format") or {}
        if not isinstance(given, dict):
            raise InvalidValue("text.format", "A format is an object with a type.")
        return given

    @property
    def named_thread(self) -> str:
        """The name of the thread that `conversation` is, empty for none. Raises InvalidValue."""
        given = self.conversation
        name = given.get("id") if isinstance(given, dict) else given
        if name is not None and not isinstance(name, str):
            raise InvalidValue("conversation", "A conversation is an id, or an object with one.")
        return name or ""

    @property
    def functions(self) -> list[dict[str, Any]]:
        """The client's own tools. Raises UnsupportedParameter for those that OpenAI runs itself."""
        for tool in self.tools or ():
            if tool.get("type") != "function":
                raise UnsupportedParameter(
                    "tools", f"There are no tools of the type {tool.get('type')!s:.40}."
                )
        return [{name: item for name, item in tool.items() if name != "type"} for tool in self.tools or ()]

    @property
    def choice(self) -> Any:
        """Which tool is to be called: auto, none, required or a name."""
        return self.tool_choice.get("name", "") if isinstance(self.tool_choice, dict) else self.tool_choice


def refuse_unsupported(body: ResponseRequest, entry: ServedEntry) -> None:
    """Raise UnsupportedParameter for what would change the answer and is not done here; InvalidValue."""
    refused = {
        "instructions": bool(body.instructions) and not entry.client_tools,
        "top_logprobs": bool(body.top_logprobs),
        "prompt": body.prompt is not None,
    }
    for name, present in refused.items():
        if present:
            raise UnsupportedParameter(name, f"The model {entry.name} does not take {name}.")
    if body.background and not body.stored:
        raise InvalidValue("background", "What goes on in the background has to be stored.")
    if body.previous_response_id and body.conversation:
        raise InvalidValue("conversation", "Give previous_response_id or conversation, not both.")
