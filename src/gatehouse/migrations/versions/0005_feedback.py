"""Feedback on answers, with row-level security as the other tables of tenants have.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("thread_id", sa.String(36)),
        sa.Column("runnable", sa.String(255), nullable=False),
        sa.Column("score", sa.String(4), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "run_id", name="pk_feedback"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_feedback_threads", ondelete="CASCADE"
        ),
        sa.CheckConstraint("score IN ('up', 'down')", name="ck_feedback_score"),
    )
    op.create_index("ix_feedback_thread_id", "feedback", ["thread_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE feedback ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE feedback FORCE ROW LEVEL SECURITY")
        op.execute(
            "CREATE POLICY of_tenant ON feedback "
            "USING (tenant_id = current_setting('gatehouse.tenant', true))"
        )


def downgrade() -> None:
    op.drop_table("feedback")
