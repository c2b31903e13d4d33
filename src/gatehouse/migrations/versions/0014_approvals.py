"""Approvals, and the runs that wait for them.

On PostgreSQL a tenant's rows are seen by that tenant; the operator's transactions see which runs wait, of all
tenants, so that any replica goes on with what was decided.

Revision ID: 0014
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

from gatehouse.migrations.policies import isolate_tenants

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def moment(name: str, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    create_approvals()
    create_waiting_runs()
    isolate_tenants(["approvals", "waiting_runs"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE POLICY for_operator ON waiting_runs FOR SELECT "
            "USING (current_setting('gatehouse.operator', true) = 'on')"
        )


def create_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("user_name", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("thread_id", sa.String(36)),
        sa.Column("runnable", sa.String(255), nullable=False),
        sa.Column("form", sa.String(8), nullable=False),
        sa.Column("interrupt_id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tool", sa.String(255)),
        sa.Column("tool_call_id", sa.String(255)),
        sa.Column("args", sa.JSON()),
        sa.Column("value", sa.JSON()),
        sa.Column("description", sa.Text()),
        sa.Column("allowed", sa.JSON(), nullable=False),
        sa.Column("schema", sa.JSON()),
        sa.Column("deciders", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("same_as", sa.String(36)),
        sa.Column("status", sa.String(9), nullable=False),
        sa.Column("decision", sa.JSON()),
        sa.Column("decided_by", sa.JSON()),
        moment("decided_at", nullable=True),
        moment("created_at"),
        moment("expires_at"),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
        sa.UniqueConstraint(
            "run_id", "interrupt_id", "position", name="uq_approvals_run_id_interrupt_id_position"
        ),
        sa.CheckConstraint("kind IN ('tool', 'input', 'effect')", name="ck_approvals_kind"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_approvals_threads", ondelete="CASCADE"
        ),
    )
    own = ["tenant_id", "user_id", "status", "id"]
    op.create_index("ix_approvals_tenant_id_user_id_status_id", "approvals", own)
    op.create_index("ix_approvals_tenant_id_status_id", "approvals", ["tenant_id", "status", "id"])
    op.create_index("ix_approvals_thread_id", "approvals", ["thread_id"])


def create_waiting_runs() -> None:
    op.create_table(
        "waiting_runs",
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("thread_id", sa.String(36)),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("how", sa.String(9), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("decider", sa.JSON()),
        moment("changed_at"),
        moment("expires_at"),
        sa.PrimaryKeyConstraint("run_id", name="pk_waiting_runs"),
        sa.CheckConstraint("state IN ('waiting', 'due', 'gone')", name="ck_waiting_runs_state"),
        sa.CheckConstraint("how IN ('', 'decided', 'cancelled', 'expired')", name="ck_waiting_runs_how"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_waiting_runs_threads", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_waiting_runs_state_expires_at", "waiting_runs", ["state", "expires_at"])
    op.create_index("ix_waiting_runs_thread_id", "waiting_runs", ["thread_id"])
    op.create_index("ix_waiting_runs_tenant_id_user_id", "waiting_runs", ["tenant_id", "user_id"])


def downgrade() -> None:
    op.drop_table("waiting_runs")
    op.drop_table("approvals")
