"""Managed keys: groups, templates, their life, their use, and the agreement of others."""

from chancery.services.keys.service import KeyService

__all__ = ["KeyService"]
