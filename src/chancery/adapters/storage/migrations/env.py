"""Run by Alembic: migrate inside the transaction that the caller opened."""

from alembic import context

from chancery.adapters.storage import (
    schema_acme,
    schema_backup,
    schema_crls,
    schema_directory,
    schema_enrolment,
    schema_estate,
    schema_identity,
    schema_keys,
    schema_policy,
    schema_portal,
    schema_rules,
    schema_sign_in,
    schema_status,
    schema_views,
    schema_work,
)
from chancery.adapters.storage.schema import metadata

# Alembic compares what is registered, so every module of tables must be imported.
assert schema_identity.user_account.metadata is schema_policy.authority.metadata is metadata
assert schema_sign_in.web_session.metadata is schema_portal.key_pickup.metadata is metadata
assert schema_estate.estate_row.metadata is schema_rules.accepted_risk.metadata is metadata
assert schema_work.job.metadata is schema_directory.vouched_account.metadata is metadata
assert schema_backup.backup.metadata is schema_acme.acme_order.metadata is metadata
assert schema_views.saved_filter.metadata is schema_crls.crl_list.metadata is metadata
assert schema_status.ocsp_policy.metadata is metadata
assert schema_keys.managed_key.metadata is schema_enrolment.door.metadata is metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
