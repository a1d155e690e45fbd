"""Accounts, how they prove who they are, and what they may do."""

from chancery.services.identity.policy import IdentityPolicy
from chancery.services.identity.service import IdentityService

__all__ = ["IdentityPolicy", "IdentityService"]
