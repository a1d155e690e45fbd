"""OCSP, RFC 6960."""

from chancery.protocols.ocsp.handler import OcspHandler

__all__ = ["OcspHandler"]
