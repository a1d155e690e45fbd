"""An offline root on files: no server, no network, only a directory and the people present."""

from chancery.ceremony.office import Ceremony, init_root, open_ceremony

__all__ = ["Ceremony", "init_root", "open_ceremony"]
