"""Run by Alembic: migrate inside the transaction that the caller opened."""

from alembic import context

from chancery.adapters.storage import schema_identity, schema_policy
from chancery.adapters.storage.schema import metadata

# Alembic compares what is registered, so every module of tables must be imported.
assert schema_identity.user_account.metadata is schema_policy.authority.metadata is metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
