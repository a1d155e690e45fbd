"""The parts of ``chancery serve`` that may run apart, each with its own supervisor.

All of them but a validation authority belong to one instance: one
configuration, and on one machine one run directory, where they meet.
"""

from enum import StrEnum


class ServeRole(StrEnum):
    """What one ``chancery serve`` runs."""

    ALL = "all"  # signer, web and jobs
    WEB = "web"  # the doors: OCSP, CRLs, API, console, portal
    SIGNER = "signer"  # the keys
    JOBS = "jobs"  # the schedule
    VA = "va"  # a validation authority that stands alone: it has a va.toml
    RA = "ra"  # a registration authority on a host of its own: it has an ra.toml
