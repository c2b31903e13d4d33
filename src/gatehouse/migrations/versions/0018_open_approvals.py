"""Approvals are counted while they are open, and erased when nobody needs them any longer: over all tenants.

On PostgreSQL the operator's role sees the open ones, and sees and deletes those without a thread that are a
day old or older and are not open any more.

Revision ID: 0018
"""

import sqlalchemy as sa
from alembic import op

from gatehouse.migrations.policies import forbid_operator, permit_operator

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

PENDING = "status = 'pending'"
OVER = (
    f"(thread_id IS NULL AND created_at < now() - interval '1 day' AND (NOT {PENDING} OR expires_at < now()))"
)
POLICIES = (("for_operator", "SELECT", f"({PENDING} OR {OVER})"), ("purge", "DELETE", OVER))


def upgrade() -> None:
    pending = sa.text(PENDING)
    op.create_index(
        "ix_approvals_kind", "approvals", ["kind"], postgresql_where=pending, sqlite_where=pending
    )
    permit_operator("approvals", POLICIES)


def downgrade() -> None:
    forbid_operator("approvals", POLICIES)
    op.drop_index("ix_approvals_kind", "approvals")
