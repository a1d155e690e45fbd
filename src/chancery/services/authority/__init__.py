"""The CA tree."""

from chancery.services.authority.pending import PendingCertificate
from chancery.services.authority.service import AuthorityService
from chancery.services.authority.specification import (
    Extensions,
    ImportedAuthority,
    NewAuthority,
)

__all__ = [
    "AuthorityService",
    "Extensions",
    "ImportedAuthority",
    "NewAuthority",
    "PendingCertificate",
]
