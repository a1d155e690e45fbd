"""CRL and CA certificate download."""

from chancery.protocols.crl.handler import FileHandler

__all__ = ["FileHandler"]
