"""A row of the ledger says what a person is to be asked who looks at it when its run is lost.

That is what was called, for whom, and where; and whether the effect and the row are one transaction. What
is claimed or unknown is found by an index of its own; on PostgreSQL the operator's role sees whose those rows
are, of all tenants, and nothing of what was called.

Revision ID: 0020
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gatehouse.migrations.policies import identifier, operator, permit_operator

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

OPEN = "status IN ('claimed', 'unknown')"
SEEN = "tenant_id, run_id, status, claimed_at"


def upgrade() -> None:
    for column in columns():
        op.add_column("effects", column)
    still = sa.text(OPEN)
    op.create_index("ix_effects_run_id", "effects", ["run_id"], postgresql_where=still, sqlite_where=still)
    permit_operator("effects", [("open_sees", "SELECT", f"({OPEN})")])
    if role := operator():
        for change in ("REVOKE SELECT ON effects FROM", f"GRANT SELECT ({SEEN}) ON effects TO"):
            op.execute(f"{change} {identifier(role)}")


def downgrade() -> None:
    if role := operator():
        op.execute(f"GRANT SELECT ON effects TO {identifier(role)}")
        op.execute("DROP POLICY open_sees ON effects")
    op.drop_index("ix_effects_run_id", "effects")
    for column in columns():
        op.drop_column("effects", column.name)


def columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("user_name", sa.String(255), nullable=False, server_default=""),
        sa.Column("runnable", sa.String(255), nullable=False, server_default=""),
        sa.Column("thread_id", sa.String(36)),
        sa.Column("args", sa.JSON()),
        sa.Column("in_transaction", sa.Boolean(), nullable=False, server_default=sa.false()),
    ]
