"""Who is calling."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ALL_SCOPES = "*"
# What a credential may do with its user's own threads and runs, beside those that it began itself
READ_THREADS, WRITE_THREADS = "threads:read", "threads:write"
READ_RUNS, WRITE_RUNS = "runs:read", "runs:write"
OWN_DATA = frozenset({READ_THREADS, WRITE_THREADS, READ_RUNS, WRITE_RUNS})

CLAIM_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# What `configurable` holds of the server's own: of the principal, of the run, of LangGraph's checkpoints
OWN_NAMES = frozenset({
    "user_id", "tenant_id", "user_name", "scopes", "claims",
    "thread_id", "run_id", "attempt",
    "checkpoint_id", "checkpoint_ns", "checkpoint_map",
})  # fmt: skip

CredentialKind = Literal["jwt", "api_key", "session"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credential was verified.

    `expires_at` is in Unix seconds (None: it does not expire); `credential_id` names the credential
    (a key id, a token's `jti`, a session's hash), so that it can be revoked; `opened_with` is the credential
    that a session was opened with, as `<kind>:<id>`, and empty for others; `plan` names the limits that
    apply (None: the default ones); `claims` holds the further claims that reach `configurable`.
    """

    tenant_id: str
    user_id: str
    name: str
    scopes: frozenset[str]
    credential: CredentialKind
    credential_id: str
    expires_at: float | None = None
    plan: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    opened_with: str = ""

    @property
    def credential_key(self) -> tuple[str, str, str]:
        """What tells this credential from every other."""
        return self.tenant_id, self.credential, self.credential_id

    def may(self, scope: str) -> bool:
        """Tell whether this principal has `scope`; the scope `*` is every scope.

        Of its user's own data a person has all. An API key, which may be made for one runnable, has what it
        names, and so has a token that names any of it.
        """
        if scope in self.scopes or ALL_SCOPES in self.scopes:
            return True
        return scope in OWN_DATA and not (self._is_of_key or OWN_DATA & self.scopes)

    @property
    def _is_of_key(self) -> bool:
        return self.credential == "api_key" or self.opened_with.startswith("api_key:")

    def configurable(self) -> dict[str, Any]:
        """Return the `configurable` that chains and tools see: the principal's, and nothing of the client's.

        `gatehouse.identity.caller.caller_of` reads it back.
        """
        return {
            **self.claims,
            "claims": dict(self.claims),
            "user_id": self.user_id,
            "tenant_id": self.tenant_id,
            "user_name": self.name,
            "scopes": sorted(self.scopes),
        }


def why_no_claim(name: str) -> str | None:
    """Return why a claim cannot reach `configurable` under this name, None when it can."""
    if not CLAIM_NAME.fullmatch(name):
        return f"{name!r} is no name for a claim: a-z, 0-9 and _, beginning with a letter"
    if name in OWN_NAMES:
        return f"{name} is set by Gatehouse itself"
    return None
