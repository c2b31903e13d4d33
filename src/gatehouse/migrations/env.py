"""Alembic runs this file. The connection is that of `app.database.upgrade`, which also commits."""

from alembic import context

from app.migrations.target import TARGET

context.configure(connection=context.config.attributes["connection"], target_metadata=TARGET)
context.run_migrations()
