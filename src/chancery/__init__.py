"""Chancery: the office that prepares, seals and keeps the record of certificates and keys."""

__version__ = "0.1.0"
