"""Run by Alembic: applies the migrations on the connection that `registry.migrations.upgrade` hands over."""

from alembic import context

from registry.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
