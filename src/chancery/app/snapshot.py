"""``chancery status export``: beside a running instance, whose signer signs."""

from pathlib import Path

from chancery.app.office import open_office
from chancery.domain.identity import SYSTEM
from chancery.services.status.export import export
from chancery.settings import load


def write(config: Path, days: int) -> bytes:
    """The file's content.  Unavailable while the signer is away."""
    with open_office(load(config)) as office:
        return export(office.store, office.audit, office.clock, SYSTEM, lasting_s=days * 86_400)
