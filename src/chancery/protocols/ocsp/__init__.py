"""Certificate status, RFC 6960 and RFC 5019."""
