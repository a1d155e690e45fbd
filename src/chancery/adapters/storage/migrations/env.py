"""Run by Alembic: migrate inside the transaction that the caller opened."""

from alembic import context

from chancery.adapters.storage import schema_identity, schema_policy
from chancery.adapters.storage.schema import metadata

assert schema_identity.metadata is schema_policy.metadata is metadata  # all tables are imported

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
