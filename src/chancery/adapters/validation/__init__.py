"""Where names are proved: HTTP, DNS and TLS towards whoever claims them, and CAA records."""

from chancery.adapters.validation.local import LocalValidator
from chancery.adapters.validation.remote import SpreadValidator
from chancery.adapters.validation.resolving import DnsCaa

__all__ = ["DnsCaa", "LocalValidator", "SpreadValidator"]
