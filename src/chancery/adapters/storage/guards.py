"""Triggers that keep evidence as it was, whoever writes the SQL.

Audit leaves are only ever added, in sequence.  Certificates never change and
go no earlier than GRACE_S after they expire; a revocation stays as long as
its certificate could matter (only a hold may be lifted).  A migration that
changes a guard adds a revision; it does not edit these texts.
"""

from typing import Final

GRACE_S: Final = 30 * 86_400
"""Seconds past notAfter before a certificate and its revocation may be purged."""

_SQLITE_TRIGGER: Final = """
CREATE TRIGGER {name} BEFORE {event} ON "{table}" FOR EACH ROW {when}
BEGIN SELECT RAISE(ABORT, '{message}'); END
"""
_SQLITE_NOW: Final = "CAST(strftime('%s', 'now') AS INTEGER)"
SQLITE: Final = tuple(
    _SQLITE_TRIGGER.format(name=name, event=event, table=table, when=when, message=message)
    for name, event, table, when, message in (
        ("audit_leaf_no_update", "UPDATE", "audit_leaf", "", "audit leaves never change"),
        ("audit_leaf_no_delete", "DELETE", "audit_leaf", "", "audit leaves are never removed"),
        (
            "audit_leaf_in_sequence",
            "INSERT",
            "audit_leaf",
            # Guards against REPLACE too, which may skip delete triggers.
            "WHEN NEW.seq <> coalesce((SELECT max(seq) + 1 FROM audit_leaf), 0)",
            "audit leaves follow each other",
        ),
        ("certificate_no_update", "UPDATE", "certificate", "", "certificates never change"),
        (
            "certificate_no_early_delete",
            "DELETE",
            "certificate",
            f"WHEN OLD.not_after + {GRACE_S} >= {_SQLITE_NOW}",
            "certificates stay until they have expired",
        ),
        (
            "revocation_final",
            "UPDATE",
            "revocation",
            "WHEN OLD.status = 'revoked'",
            "revocations are final",
        ),
        (
            "revocation_no_early_delete",
            "DELETE",
            "revocation",
            f"WHEN OLD.status = 'revoked' AND OLD.not_after + {GRACE_S} >= {_SQLITE_NOW}",
            "revocations stay until the certificate has expired",
        ),
    )
)

# ERRCODE 23001 is restrict_violation: drivers report it as an integrity error.
_POSTGRES_FUNCTION: Final = """
CREATE FUNCTION chancery_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = '23001', TABLE = TG_TABLE_NAME;
END $$
"""
_POSTGRES_TRIGGER: Final = """
CREATE TRIGGER {name} BEFORE {event} ON "{table}" FOR EACH {scope} {when}
EXECUTE FUNCTION chancery_refuse('{message}')
"""
_POSTGRES_NOW: Final = "extract(epoch FROM now())"
POSTGRES: Final = (
    _POSTGRES_FUNCTION,
    *(
        _POSTGRES_TRIGGER.format(
            name=name, event=event, table=table, scope=scope, when=when, message=message
        )
        for name, event, table, scope, when, message in (
            (
                "audit_leaf_no_change",
                "UPDATE OR DELETE",
                "audit_leaf",
                "ROW",
                "",
                "audit leaves never change",
            ),
            (
                "audit_leaf_no_truncate",
                "TRUNCATE",
                "audit_leaf",
                "STATEMENT",
                "",
                "audit leaves are never removed",
            ),
            (
                "certificate_no_update",
                "UPDATE",
                "certificate",
                "ROW",
                "",
                "certificates never change",
            ),
            (
                "certificate_no_early_delete",
                "DELETE",
                "certificate",
                "ROW",
                f"WHEN (OLD.not_after + {GRACE_S} >= {_POSTGRES_NOW})",
                "certificates stay until they have expired",
            ),
            (
                "certificate_no_truncate",
                "TRUNCATE",
                "certificate",
                "STATEMENT",
                "",
                "certificates stay until they have expired",
            ),
            (
                "revocation_final",
                "UPDATE",
                "revocation",
                "ROW",
                "WHEN (OLD.status = 'revoked')",
                "revocations are final",
            ),
            (
                "revocation_no_early_delete",
                "DELETE",
                "revocation",
                "ROW",
                f"WHEN (OLD.status = 'revoked' AND OLD.not_after + {GRACE_S} >= {_POSTGRES_NOW})",
                "revocations stay until the certificate has expired",
            ),
            (
                "revocation_no_truncate",
                "TRUNCATE",
                "revocation",
                "STATEMENT",
                "",
                "revocations stay until the certificate has expired",
            ),
        )
    ),
)
