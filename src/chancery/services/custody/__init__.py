"""Custodians on record, and bundles that go to offline CAs and come back."""

from chancery.services.custody.bundles import BundleService, CrlWanted
from chancery.services.custody.service import CustodyService, Seal

__all__ = ["BundleService", "CrlWanted", "CustodyService", "Seal"]
