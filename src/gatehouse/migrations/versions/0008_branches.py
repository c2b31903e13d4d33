"""Branches of threads: the message before each, which of them are shown, and a graph's state behind them.

Rows of releases before this one have no `parent_id`: before them is the message with the position before
theirs. They are all shown.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("parent_id", sa.String(36)))
    op.add_column("messages", sa.Column("shown", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("messages", sa.Column("checkpoint_id", sa.String(64)))


def downgrade() -> None:
    for column in ("checkpoint_id", "shown", "parent_id"):
        op.drop_column("messages", column)
