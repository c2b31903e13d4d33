"""Alembic runs this file, for every schema. Its connection is that of `gatehouse.storage.schema`."""

from alembic import context

options = context.config.attributes
context.configure(connection=options["connection"], version_table=options["version_table"])
context.run_migrations()
