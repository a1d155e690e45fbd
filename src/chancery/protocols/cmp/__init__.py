"""CMP (RFC 9810, 9811, 9480, 9483): messages that prove themselves, over plain HTTP or TLS."""
