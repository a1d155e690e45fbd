"""People and machines are told what happened: put on record with it, sent afterwards."""

from chancery.services.notifications.announcer import SILENT, Announcer
from chancery.services.notifications.plan import Plan
from chancery.services.notifications.service import NotificationService

__all__ = ["SILENT", "Announcer", "NotificationService", "Plan"]
