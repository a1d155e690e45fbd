"""ACME as the office knows it: accounts, orders, authorizations, and when to renew."""

from chancery.services.acme.service import AcmeService

__all__ = ["AcmeService"]
