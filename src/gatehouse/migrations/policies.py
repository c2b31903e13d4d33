"""Row-level security for a migration: a table's rows are seen by the transactions of their tenant only."""

from collections.abc import Iterable

from alembic import op

from gatehouse.storage.tenancy import OPERATOR

OF_TENANT = "tenant_id = current_setting('gatehouse.tenant', true)"


def isolate_tenants(tables: Iterable[str]) -> None:
    """Let PostgreSQL show a row of these tables only to a transaction of the row's `tenant_id`.

    `tenant_transaction` and `see_tenant` name a transaction's tenant; one without sees nothing. FORCE: also
    for the role that owns the tables, as which the server usually connects. SQLite has no such policies.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_TENANT})")


def unite_tenants(tables: Iterable[str]) -> None:
    """Take back what `isolate_tenants` did."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in tables:
        op.execute(f"DROP POLICY of_tenant ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def permit_operator(table: str, policies: Iterable[tuple[str, str, str]]) -> None:
    """Let the operator's role (migration 0017) see and delete some rows of a table, whoever's they are.

    `policies` are names, statements (SELECT or DELETE) and which rows. The role is named in them: whoever may
    become it is no operator yet.
    """
    if (role := operator()) is None:
        return
    who = "current_user = '" + role.replace("'", "''") + "'"
    for name, statement, rows in policies:
        op.execute(f"CREATE POLICY {name} ON {table} FOR {statement} USING ({who} AND {rows})")
    op.execute(f"GRANT SELECT, DELETE ON {table} TO {identifier(role)}")


def forbid_operator(table: str, policies: Iterable[tuple[str, str, str]]) -> None:
    """Take back what `permit_operator` did."""
    if (role := operator()) is None:
        return
    op.execute(f"REVOKE SELECT, DELETE ON {table} FROM {identifier(role)}")
    for name, _, _ in policies:
        op.execute(f"DROP POLICY {name} ON {table}")


def operator() -> str | None:
    """Return the name of the operator's role, None where there are no policies."""
    connection = op.get_bind()
    return str(connection.scalar(OPERATOR)) if connection.dialect.name == "postgresql" else None


def identifier(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'
