"""A role of its own sees rows of all tenants, in place of a setting that any role could make.

`gatehouse keys list` and the purges become it for a transaction (`src/gatehouse/storage/tenancy.py`), which
only its members can. Its name is that of the tables' owner with `_operator` after it. PostgreSQL only.

Revision ID: 0017
"""

import sqlalchemy as sa
from alembic import op

from gatehouse.storage.tenancy import OPERATOR, NoOperator

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SETTING = "current_setting('gatehouse.operator', true) = 'on'"
POLICIES = (  # of which table, by which name, for which statement, and what a row must be besides
    ("api_keys", "for_operator", "SELECT", ""),
    ("threads", "for_operator", "SELECT", ""),
    ("waiting_runs", "for_operator", "SELECT", ""),
    ("webhooks", "for_operator", "SELECT", ""),
    ("webhooks", "operator_tries", "UPDATE", ""),
    ("webhooks", "sent", "DELETE", ""),
    *(
        (table, name, statement, old)
        for table, old in (
            ("audit_log", " AND \"time\" < now() - interval '30 days'"),
            ("attachments", " AND expires_at < now()"),
            ("effects", " AND claimed_at < now() - interval '1 day'"),
        )
        for name, statement in (("purge_sees", "SELECT"), ("purge", "DELETE"))
    ),
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    role = operator()
    restate(f"current_user = {quoted(role)}")
    schema = str(op.get_bind().scalar(sa.select(sa.func.current_schema())))
    op.execute(f"GRANT USAGE ON SCHEMA {identifier(schema)} TO {identifier(role)}")
    for table, _, statement, _ in POLICIES:
        op.execute(f"GRANT {statement} ON {table} TO {identifier(role)}")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    restate(SETTING)
    role = op.get_bind().scalar(OPERATOR)
    for table, _, statement, _ in POLICIES:
        op.execute(f"REVOKE {statement} ON {table} FROM {identifier(role)}")


def restate(who: str) -> None:
    """Let those policies hold for whom the condition names."""
    for table, name, _, row in POLICIES:
        op.execute(f"ALTER POLICY {name} ON {table} USING ({who}{row})")


def operator() -> str:
    """Return the name of the operator's role, which is made if we may. Raises NoOperator."""
    connection = op.get_bind()
    role: str = connection.scalar(OPERATOR)
    member = "SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = :role"
    is_member = connection.scalar(sa.text(member), {"role": role})
    if is_member:
        return role
    may = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    ourselves = str(connection.scalar(sa.text("SELECT current_user")))
    if not connection.scalar(sa.text(may)):
        raise NoOperator(role, ourselves)
    if is_member is None:
        op.execute(f"CREATE ROLE {identifier(role)} NOLOGIN")
    op.execute(f"GRANT {identifier(role)} TO {identifier(ourselves)}")
    return role


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
