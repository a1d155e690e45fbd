"""The REST API: a door for programs.  It translates; it never decides."""

from chancery.api.application import Api, create_api
from chancery.services.roster import Services

__all__ = ["Api", "Services", "create_api"]
