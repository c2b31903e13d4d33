"""How answers ended, and what of their tokens was reasoned, read from a cache, or estimated.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COUNTS = ("reasoning_tokens", "cached_tokens", "estimated_tokens")


def upgrade() -> None:
    op.add_column("messages", sa.Column("finish_reason", sa.String(64)))
    op.add_column("usage", sa.Column("finish_reason", sa.String(64), nullable=False, server_default=""))
    for name in COUNTS:
        op.add_column("usage", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in (*COUNTS, "finish_reason"):
        op.drop_column("usage", name)
    op.drop_column("messages", "finish_reason")
