"""Certificate status: CRLs and OCSP."""

from chancery.services.status.composing import Answer
from chancery.services.status.service import StatusService

__all__ = ["Answer", "StatusService"]
