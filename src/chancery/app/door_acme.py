"""ACME, put together."""

from chancery.app.doors import Parts
from chancery.protocols.acme.handler import AcmeHandler


def make(parts: Parts) -> AcmeHandler:
    return AcmeHandler(parts.desk, parts.credentials, parts.acme)
