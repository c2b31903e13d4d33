"""An API key as the database knows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Row

from gatehouse.identity.principal import Principal

KeyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key, but the hash of its secret. Times are in UTC."""

    id: str
    tenant_id: str
    user_id: str
    name: str
    scopes: frozenset[str]
    plan: str | None
    claims: Mapping[str, Any]
    pepper_version: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def works(self) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > datetime.now(UTC))

    @property
    def state(self) -> Literal["works", "expired", "revoked"]:
        """How the key is, in a word."""
        if self.revoked_at is not None:
            return "revoked"
        return "works" if self.works else "expired"

    @property
    def principal(self) -> Principal:
        """Whom the key stands for."""
        return Principal(
            tenant_id=self.tenant_id,
            user_id=self.user_id,
            name=self.name,
            scopes=self.scopes,
            credential="api_key",
            credential_id=self.id,
            expires_at=self.expires_at.timestamp() if self.expires_at else None,
            plan=self.plan,
            claims=self.claims,
        )


def api_key_of(row: KeyRow) -> ApiKey:
    """Return a row of the table `api_keys` as a record."""
    columns = {name: value for name, value in row._mapping.items() if name != "secret_hash"}  # noqa: SLF001  # SQLAlchemy's public name for it
    return ApiKey(**{**columns, "scopes": frozenset(columns["scopes"])})
