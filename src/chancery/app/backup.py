"""Backups of one instance, put together from its settings."""

from pathlib import Path
from typing import Final

from chancery.adapters.backup.archive import Places
from chancery.adapters.backup.medium import FolderMedium, NoMedium
from chancery.adapters.storage.engine import parse_url
from chancery.ports_backup import BackupMedium
from chancery.services.backup import BackupPlan
from chancery.settings import Settings

_NO_PLAN: Final = BackupPlan(keep=1, drill_every_s=90 * 86_400)


def medium(settings: Settings) -> BackupMedium:
    """The medium that the settings name."""
    chosen = settings.backup
    if chosen is None:
        return NoMedium()
    return FolderMedium(chosen.medium, chosen.copies, places(settings))


def plan(settings: Settings) -> BackupPlan:
    chosen = settings.backup
    if chosen is None:
        return _NO_PLAN
    return BackupPlan(chosen.keep, int(chosen.drill_every.total_seconds()))


def places(settings: Settings) -> Places:
    """Where the instance lies.

    The tiles of the log stay behind: a restore makes them of the record
    again, which proves it.
    """
    signer, tls, chosen = settings.signer, settings.tls, settings.backup
    database = parse_url(settings.database.url)
    skipped = [signer.socket.parent, settings.audit.directory]
    if database.drivername == "sqlite" and database.database:
        skipped.append(Path(database.database))
    if chosen is not None:
        skipped += [chosen.medium, *chosen.copies]
    secrets = (signer.unseal_key_file, signer.passphrase_file, settings.login.key_file)
    return Places(
        base=settings.database.base,
        database_url=settings.database.url,
        journal=signer.journal,
        skipped=tuple(skipped),
        needed=(
            signer.vault,
            signer.journal,
            tls.certificate,
            tls.key,
            tls.client_ca,
            settings.database.url_file,
            *(path for path in secrets if path is not None),
        ),
    )
