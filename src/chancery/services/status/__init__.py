"""Certificate status: CRLs and OCSP."""

from chancery.services.status.ocsp import Answer
from chancery.services.status.service import StatusService

__all__ = ["Answer", "StatusService"]
