"""The CA tree."""

from chancery.services.authority.choices import AuthorityChange
from chancery.services.authority.pending import PendingCertificate
from chancery.services.authority.service import AuthorityService
from chancery.services.authority.specification import (
    CrlWishes,
    Extensions,
    ImportedAuthority,
    NewAuthority,
)

__all__ = [
    "AuthorityChange",
    "AuthorityService",
    "CrlWishes",
    "Extensions",
    "ImportedAuthority",
    "NewAuthority",
    "PendingCertificate",
]
