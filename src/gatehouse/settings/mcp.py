"""Other servers of the Model Context Protocol, whose tools agents are given."""

from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_settings import NoDecode

from gatehouse.settings.lists import parsed

ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,29}$")]


class TokenExchange(BaseModel):
    """An issuer's token endpoint (RFC 8693), and who we are to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: HttpUrl
    client_id: str = Field(min_length=1)
    client_secret: SecretStr


class McpServer(BaseModel):
    """One server.

    `tools` are those that are taken, `["*"]` all; `reads` those of them that only read, where the server
    does not say so itself: every other acts. `approve` is what a person may decide before each call that
    acts, such as "approve reject". With a `secret`, which the server knows too, a token for the caller goes
    along: its audience is `audience`, by default the URL, and its scopes are `scope`. With `exchange` the
    issuer knows the secret, and gives for our token the one that goes along. `timeout` is in seconds, for a
    call.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: HttpUrl
    tools: tuple[str, ...] = Field(min_length=1)
    reads: tuple[str, ...] = ()
    approve: str = Field("", pattern=r"^((approve|edit|reject|respond)( |$))*$")
    secret: SecretStr | None = Field(None, min_length=32)
    exchange: TokenExchange | None = None
    audience: str = ""
    scope: str = ""
    timeout: float = Field(60, gt=0, le=600)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.exchange is not None and self.secret is None:
            raise ValueError("exchange needs a secret, with which the token is signed that is exchanged")
        return self

    def allows(self, tool: str) -> bool:
        return "*" in self.tools or tool in self.tools


class McpSettings(BaseModel):
    """The servers by their names, as entries name them."""

    mcp_servers: Annotated[dict[ServerName, McpServer], NoDecode, BeforeValidator(parsed)] = Field(
        {},
        description="MCP servers whose tools entries name, as JSON by name (docs/wires.md); none by default",
    )
