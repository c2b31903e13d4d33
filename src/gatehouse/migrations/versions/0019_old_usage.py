"""Old rows of the books of usage are found by their day; on PostgreSQL the operator's role may erase them.

Those of the last 30 days nobody erases.

Revision ID: 0019
"""

from alembic import op

from gatehouse.storage.tenancy import OPERATOR

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OLD = "day < current_date - 30"


def upgrade() -> None:
    op.create_index("ix_usage_day", "usage", ["day"])
    if (role := operator()) is None:
        return
    who = "current_user = '" + role.replace("'", "''") + "'"
    op.execute(f"CREATE POLICY purge_sees ON usage FOR SELECT USING ({who} AND {OLD})")
    op.execute(f"CREATE POLICY purge ON usage FOR DELETE USING ({who} AND {OLD})")
    op.execute(f"GRANT SELECT, DELETE ON usage TO {identifier(role)}")


def downgrade() -> None:
    if (role := operator()) is not None:
        op.execute(f"REVOKE SELECT, DELETE ON usage FROM {identifier(role)}")
        for policy in ("purge_sees", "purge"):
            op.execute(f"DROP POLICY {policy} ON usage")
    op.drop_index("ix_usage_day", "usage")


def operator() -> str | None:
    """Return the name of the operator's role (migration 0017), None where there are no policies."""
    connection = op.get_bind()
    return str(connection.scalar(OPERATOR)) if connection.dialect.name == "postgresql" else None


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
