"""ASGI glue: listeners, TLS client identity, limits.  The only async code."""
