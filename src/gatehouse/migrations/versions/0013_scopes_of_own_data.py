"""Existing API keys keep what they have: the threads and runs of their user, for which keys need scopes now.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OWN_DATA = {"threads:read", "threads:write", "runs:read", "runs:write"}
KEYS = sa.table(
    "api_keys", sa.column("id", sa.String), sa.column("tenant_id", sa.String), sa.column("scopes", sa.JSON)
)


def upgrade() -> None:
    change(lambda scopes: scopes if "*" in scopes or not scopes else scopes | OWN_DATA)


def downgrade() -> None:
    change(lambda scopes: scopes - OWN_DATA)


def change(changed) -> None:  # type: ignore[no-untyped-def]  # a function of sets of texts
    """Give each key the scopes that `changed` makes of its own."""
    connection = op.get_bind()
    see("gatehouse.operator", "on")
    keys = connection.execute(sa.select(KEYS)).all()
    for key in keys:
        scopes = sorted(changed(set(key.scopes)))
        if scopes != sorted(key.scopes):
            see("gatehouse.tenant", key.tenant_id)
            connection.execute(sa.update(KEYS).where(KEYS.c.id == key.id).values(scopes=scopes))
    see("gatehouse.operator", "")
    see("gatehouse.tenant", "")


def see(setting: str, value: str) -> None:
    """Give the rest of the migration sight of rows: row-level security holds for the owner too."""
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().execute(sa.select(sa.func.set_config(setting, value, True)))
