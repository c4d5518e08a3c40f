"""Called by Alembic: runs the migrations on the connection that the store handed over."""

from alembic import context

from remediator.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
