"""Publication points: CRLs and CA certificates over plain HTTP (RFC 5280 §4.2.1.13, §4.2.2.1)."""
