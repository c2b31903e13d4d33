"""Attachments: files of users, each with its bytes, which are erased with their thread or when they expire.

On PostgreSQL a tenant's rows are seen by that tenant, as the other tables' are; the purge, of all tenants,
sees and deletes what has expired and nothing else.

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

from gatehouse.migrations.policies import isolate_tenants

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PURGE = "current_setting('gatehouse.operator', true) = 'on' AND expires_at < now()"


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("thread_id", sa.String(36)),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_attachments_threads", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_attachments_tenant_id_user_id", "attachments", ["tenant_id", "user_id"])
    op.create_index("ix_attachments_thread_id", "attachments", ["thread_id"])
    op.create_index("ix_attachments_expires_at", "attachments", ["expires_at"])
    op.add_column("messages", sa.Column("attachments", sa.JSON()))
    isolate_tenants(["attachments"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE POLICY purge_sees ON attachments FOR SELECT USING ({PURGE})")
        op.execute(f"CREATE POLICY purge ON attachments FOR DELETE USING ({PURGE})")


def downgrade() -> None:
    op.drop_column("messages", "attachments")
    op.drop_table("attachments")
