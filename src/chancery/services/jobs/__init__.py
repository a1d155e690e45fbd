"""Work that is put on record and done later, by whichever node is free."""

from chancery.services.jobs.handler import Finish, Handler, Lease, Postponed
from chancery.services.jobs.runner import Runner
from chancery.services.jobs.service import JobService

__all__ = ["Finish", "Handler", "JobService", "Lease", "Postponed", "Runner"]
