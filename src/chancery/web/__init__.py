"""The web faces: the console and the public portal, rendered on the server.  See README.md."""

from chancery.web.application import Web, create_web

__all__ = ["Web", "create_web"]
