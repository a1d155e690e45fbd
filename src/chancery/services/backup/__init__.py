"""Backups: two people order one, the jobs process makes it, drills show what it is worth."""

from chancery.services.backup.desk import BackupService
from chancery.services.backup.making import BackupMaking, BackupPlan

__all__ = ["BackupMaking", "BackupPlan", "BackupService"]
