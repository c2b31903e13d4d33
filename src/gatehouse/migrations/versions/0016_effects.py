"""The ledger: what tools that act were called for, and what came of it.

On PostgreSQL a tenant's rows are seen by that tenant, as the other tables' are; the purge, of all tenants,
sees and deletes what is a day old or older and nothing else.

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op

from gatehouse.migrations.policies import isolate_tenants

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

PURGE = "current_setting('gatehouse.operator', true) = 'on' AND claimed_at < now() - interval '1 day'"


def upgrade() -> None:
    op.create_table(
        "effects",
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("call_id", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("tool", sa.String(255), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("decided", sa.Integer(), nullable=False),
        sa.Column("result_type", sa.String(32)),
        sa.Column("result", sa.LargeBinary()),
        sa.Column("error", sa.Text()),
        sa.Column("same_as", sa.String(255)),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("run_id", "call_id", "digest", name="pk_effects"),
    )
    op.create_index("ix_effects_tenant_id_user_id", "effects", ["tenant_id", "user_id"])
    op.create_index("ix_effects_claimed_at", "effects", ["claimed_at"])
    isolate_tenants(["effects"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE POLICY purge_sees ON effects FOR SELECT USING ({PURGE})")
        op.execute(f"CREATE POLICY purge ON effects FOR DELETE USING ({PURGE})")


def downgrade() -> None:
    op.drop_table("effects")
