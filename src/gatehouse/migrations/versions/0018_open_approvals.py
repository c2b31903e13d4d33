"""Approvals are counted while they are open, and erased when nobody needs them any longer: over all tenants.

On PostgreSQL the operator's role sees the open ones, and sees and deletes those without a thread that are a
day old or older and are not open any more.

Revision ID: 0018
"""

import sqlalchemy as sa
from alembic import op

from gatehouse.storage.tenancy import OPERATOR

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

PENDING = "status = 'pending'"
OVER = (
    f"(thread_id IS NULL AND created_at < now() - interval '1 day' AND (NOT {PENDING} OR expires_at < now()))"
)


def upgrade() -> None:
    pending = sa.text(PENDING)
    op.create_index(
        "ix_approvals_kind", "approvals", ["kind"], postgresql_where=pending, sqlite_where=pending
    )
    if (role := operator()) is None:
        return
    who = "current_user = '" + role.replace("'", "''") + "'"  # TO the role would be to all its members
    op.execute(f"CREATE POLICY for_operator ON approvals FOR SELECT USING ({who} AND ({PENDING} OR {OVER}))")
    op.execute(f"CREATE POLICY purge ON approvals FOR DELETE USING ({who} AND {OVER})")
    op.execute(f"GRANT SELECT, DELETE ON approvals TO {identifier(role)}")


def downgrade() -> None:
    if (role := operator()) is not None:
        op.execute(f"REVOKE SELECT, DELETE ON approvals FROM {identifier(role)}")
        for policy in ("for_operator", "purge"):
            op.execute(f"DROP POLICY {policy} ON approvals")
    op.drop_index("ix_approvals_kind", "approvals")


def operator() -> str | None:
    """Return the name of the operator's role (migration 0017), None where there are no policies."""
    connection = op.get_bind()
    return str(connection.scalar(OPERATOR)) if connection.dialect.name == "postgresql" else None


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
