"""Other servers of the Model Context Protocol, whose tools agents are given."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, SecretStr, StringConstraints
from pydantic_settings import NoDecode

from gatehouse.settings.lists import parsed

ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,29}$")]


class McpServer(BaseModel):
    """One server.

    `tools` are those that are taken, `["*"]` all; `reads` those of them that only read, where the server does
    not say so itself: every other acts. With a `secret`, which the server knows too, a token for the caller
    goes along: its audience is `audience`, by default the URL, and its scopes are `scope`. `timeout` is in
    seconds, for a call.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: HttpUrl
    tools: tuple[str, ...] = Field(min_length=1)
    reads: tuple[str, ...] = ()
    secret: SecretStr | None = Field(None, min_length=32)
    audience: str = ""
    scope: str = ""
    timeout: float = Field(60, gt=0, le=600)

    def allows(self, tool: str) -> bool:
        return "*" in self.tools or tool in self.tools


class McpSettings(BaseModel):
    """The servers by their names, as entries name them."""

    mcp_servers: Annotated[dict[ServerName, McpServer], NoDecode, BeforeValidator(parsed)] = Field(
        {},
        description="MCP servers whose tools entries name, as JSON by name (docs/wires.md); none by default",
    )
