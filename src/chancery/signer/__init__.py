"""The key boundary: a small process of its own that holds every private key."""
