"""Existing certificates, taken over."""

from chancery.services.estate.reading import ImportFile
from chancery.services.estate.service import EstateService

__all__ = ["EstateService", "ImportFile"]
