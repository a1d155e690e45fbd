"""The one place that knows every other.  Read ``office`` to see how chancery fits together.

This package imports nothing until it is asked to: the client commands start
through it too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from chancery.app.roles import ServeRole


def serve(config: Path, role: ServeRole = ServeRole.ALL) -> NoReturn:
    """Run an instance or one role of it: this process becomes its supervisor."""
    from chancery.app.supervise import supervise  # noqa: PLC0415 - see the module

    supervise(config, role)


def renew_own_certificate(config: Path) -> int:
    """Make a new certificate for the service itself; when it ends."""
    from chancery.app.own_certificate import (  # noqa: PLC0415 - see the module
        renew_own_certificate_now,
    )

    return renew_own_certificate_now(config)


def upgrade_database(config: Path) -> None:
    """Bring the database's schema to what this release needs."""
    from chancery.app.database import upgrade  # noqa: PLC0415 - see the module

    upgrade(config)


def check_config(config: Path, *, connect: bool = False) -> Sequence[str]:
    """What is wrong with a configuration, in words; empty if nothing is.

    *connect*: directories and identity providers are asked as well; by a
    dedicated RA, its centre.
    """
    from chancery.app import check_gateway  # noqa: PLC0415 - see the module

    if check_gateway.is_gateway(config):
        return check_gateway.findings(config, connect=connect)
    from chancery.app.check import findings  # noqa: PLC0415 - see the module

    return findings(config, connect=connect)
