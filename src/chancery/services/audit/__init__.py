"""The audit log: what is recorded, its signed tree, and who may read it."""

from chancery.services.audit.events import event
from chancery.services.audit.integration import AuditTampered
from chancery.services.audit.service import AuditService

__all__ = ["AuditService", "AuditTampered", "event"]
