"""What messages say beside text: content blocks, and what a runnable returned that is no message.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("blocks", sa.JSON(none_as_null=True)))
    op.add_column("messages", sa.Column("value", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    for column in ("value", "blocks"):
        op.drop_column("messages", column)
