"""SCEP (RFC 8894): devices enrol with one-time passwords, renew with what they hold."""

from chancery.protocols.scep.handler import ScepHandler

__all__ = ["ScepHandler"]
