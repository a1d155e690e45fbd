"""How things look as bytes.  Bytes in, domain values out, and back; no I/O, no clock."""
