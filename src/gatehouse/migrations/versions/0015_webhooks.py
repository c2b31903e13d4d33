"""Webhooks that are to be sent: an outbox.

On PostgreSQL a tenant's rows are written by that tenant; the operator's transactions, which send them, see
and delete all.

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

from gatehouse.migrations.policies import isolate_tenants

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_due_at", "webhooks", ["due_at"])
    op.create_index("ix_webhooks_tenant_id_user_id", "webhooks", ["tenant_id", "user_id"])
    isolate_tenants(["webhooks"])
    if op.get_bind().dialect.name == "postgresql":
        for name, statement in (("for_operator", "SELECT"), ("operator_tries", "UPDATE"), ("sent", "DELETE")):
            op.execute(
                f"CREATE POLICY {name} ON webhooks FOR {statement} "
                "USING (current_setting('gatehouse.operator', true) = 'on')"
            )


def downgrade() -> None:
    op.drop_table("webhooks")
