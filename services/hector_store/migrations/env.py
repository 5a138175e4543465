"""Runs revisions on the connection that `migrate` hands over, inside its transaction."""

from alembic import context

from hector_store.migrations import VERSION_TABLE
from hector_store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
