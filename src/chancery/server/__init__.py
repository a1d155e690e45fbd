"""Listeners, TLS client identity, limits, health: the only asynchronous code besides the doors."""
