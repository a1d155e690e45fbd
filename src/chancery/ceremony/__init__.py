"""An offline root on files: no server, no network, only a directory and the people present."""

from chancery.ceremony.directory import init_root, open_ceremony
from chancery.ceremony.office import Ceremony

__all__ = ["Ceremony", "init_root", "open_ceremony"]
