"""The caller as tools see it: who asks, taken from `configurable`, never from the model's arguments."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException


@dataclass(frozen=True, slots=True)
class Caller:
    """What a tool may know of the principal.

    `claims` holds the further claims of the credential: of a token those that GATEHOUSE_CLAIMS names, of an
    API key those that it was made with. `effect_key` is that of the call of a tool that acts, the same when
    it is made again after a crash; empty in any other.
    """

    tenant_id: str
    user_id: str
    user_name: str = ""
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    effect_key: str = ""


effect_key_of_context: ContextVar[str] = ContextVar("effect_key_of_context", default="")


def caller_of(config: RunnableConfig) -> Caller:
    """Return the caller that the server put into `config["configurable"]`.

    Raises ToolException when there is none: a tool that reads personal data refuses to run for nobody.
    """
    configurable = config.get("configurable") or {}
    tenant_id, user_id = configurable.get("tenant_id"), configurable.get("user_id")
    if not (isinstance(tenant_id, str) and tenant_id and isinstance(user_id, str) and user_id):
        raise ToolException("Nobody is signed in, so personal data cannot be read.")
    return Caller(
        tenant_id=tenant_id,
        user_id=user_id,
        user_name=configurable.get("user_name") or "",
        scopes=frozenset(configurable.get("scopes") or ()),
        claims=configurable.get("claims") or {},
        effect_key=effect_key_of_context.get(),
    )
