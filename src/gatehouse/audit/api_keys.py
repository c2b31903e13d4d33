"""What is on record of API keys that the operator changes with a command."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.auth.api_keys import Within
from app.auth.key_record import ApiKey
from app.usage.audit import AuditTrail
from app.usage.audit_entry import Action, Entry


def by_operator(engine: AsyncEngine, action: Action, **details: str) -> Within:
    """Return what enters the change of a key by a command, on the record of the key's tenant."""
    audit = AuditTrail(engine, lambda _count: None)  # it notes nothing, so it loses nothing

    async def write(connection: AsyncConnection, key: ApiKey) -> None:
        about = {"by": "gatehouse keys", "user": key.user_id, "scopes": " ".join(sorted(key.scopes))}
        entry = Entry(action, "ok", key.tenant_id, subject=key.id, details={**about, **details})
        await audit.write_within(connection, entry)

    return write
