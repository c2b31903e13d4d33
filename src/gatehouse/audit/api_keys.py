"""What is on record of API keys that the operator changes with a command."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.audit.entry import Action, AuditEntry
from gatehouse.audit.trail import AuditTrail
from gatehouse.auth.api_keys.record import ApiKey
from gatehouse.auth.api_keys.store import Within


def by_operator(engine: AsyncEngine, action: Action, **details: str) -> Within:
    """Return what enters the change of a key by a command, on the record of the key's tenant."""
    audit = AuditTrail(engine, lambda _count: None)  # it notes nothing, so it loses nothing

    async def write(connection: AsyncConnection, key: ApiKey) -> None:
        about = {"by": "gatehouse keys", "user": key.user_id, "scopes": " ".join(sorted(key.scopes))}
        entry = AuditEntry(action, "ok", key.tenant_id, subject=key.id, details={**about, **details})
        await audit.write_within(connection, entry)

    return write
