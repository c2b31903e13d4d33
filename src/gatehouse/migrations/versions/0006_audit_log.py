"""The audit log: rows are added, read, and deleted when they are old; nobody changes them.

Triggers see to it on both databases: an UPDATE fails, and so does the DELETE of a row of the last 30 days
and TRUNCATE, for the owner of the table too. What is older the purge may delete
(`src/gatehouse/audit/purge.py`). On PostgreSQL a tenant's rows are seen by that tenant; those of nobody are
added, and seen by who bypasses row-level security; the purge sees old rows alone.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OLD = "\"time\" < now() - interval '30 days'"
PURGE = f"current_setting('gatehouse.operator', true) = 'on' AND {OLD}"

POSTGRESQL = (
    "ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE audit_log FORCE ROW LEVEL SECURITY",
    "CREATE POLICY of_tenant ON audit_log USING (tenant_id = current_setting('gatehouse.tenant', true))",
    "CREATE POLICY of_nobody ON audit_log FOR INSERT WITH CHECK (tenant_id IS NULL)",
    f"CREATE POLICY purge_sees ON audit_log FOR SELECT USING ({PURGE})",
    f"CREATE POLICY purge ON audit_log FOR DELETE USING ({PURGE})",
    """
    CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' AND OLD."time" < now() - interval '30 days' THEN RETURN OLD; END IF;
      RAISE EXCEPTION 'the audit log is append-only';
    END $$
    """,
    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log "
    "FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only()",
    "CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_log "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()",
)

SQLITE = (
    "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log "
    "WHEN OLD.time >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-30 days') "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
)


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.String(255)),
        sa.Column("user_id", sa.String(255)),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_tenant_id_time_id", "audit_log", ["tenant_id", "time", "id"])
    op.create_index("ix_audit_log_time", "audit_log", ["time"])
    for statement in {"postgresql": POSTGRESQL, "sqlite": SQLITE}.get(op.get_bind().dialect.name, ()):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit_log")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_log_is_append_only()")
