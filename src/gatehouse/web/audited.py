"""What a request did, as the audit log keeps it."""

from uuid import uuid4

from starlette.requests import HTTPConnection
from starlette.types import Scope

from gatehouse.audit.entry import Action, AuditEntry, Outcome
from gatehouse.identity.principal import Principal
from gatehouse.web.request_state import state_of


def entry_of(
    connection: HTTPConnection | Scope,
    action: Action,
    outcome: Outcome,
    principal: Principal | None,
    subject: str = "",
    *,
    id: str | None = None,  # noqa: A002  # the column's name
    **details: str | int | None,
) -> AuditEntry:
    """Return what a request did, or was refused. `id` is given to a row that stands for several."""
    scope = connection.scope if isinstance(connection, HTTPConnection) else connection
    client = scope.get("client")
    return AuditEntry(
        action,
        outcome,
        tenant_id=principal.tenant_id if principal else None,
        user_id=principal.user_id if principal else None,
        subject=subject,
        request_id=state_of(scope).id,
        address=client[0] if client else "",
        details={**details, "signed_in_with": principal.credential} if principal else details,
        id=id or str(uuid4()),
    )
