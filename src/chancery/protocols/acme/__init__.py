"""ACME (RFC 8555): bytes in, reply out.  What is issued is for the services to say."""
