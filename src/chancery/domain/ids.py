"""Identifiers of records: RFC 9562 UUID version 7, so that their order is the order of time."""

import uuid


def new_id(now_ms: int, entropy: bytes) -> str:
    """Make a UUIDv7 from Unix milliseconds and 10 random octets (RFC 9562 §5.7)."""
    value = (now_ms << 80) | int.from_bytes(entropy[:10])
    value = (value & ~(0xF << 76)) | (7 << 76)
    value = (value & ~(0b11 << 62)) | (0b10 << 62)
    return str(uuid.UUID(int=value))
