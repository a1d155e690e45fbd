"""Identifiers of records, made so that their order is the order of time.

What is written together then lies together in every index, and a commit writes
a few pages instead of one for each row.
"""


def new_id(now_ms: int, entropy: bytes) -> str:
    """Make a UUIDv7 from Unix milliseconds and 10 random octets (RFC 9562 §5.7)."""
    value = (now_ms << 80) | int.from_bytes(entropy[:10])
    value = (value & ~(0xF << 76)) | (7 << 76)
    value = (value & ~(0b11 << 62)) | (0b10 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_serial(now_s: int, entropy: bytes) -> int:
    """Make a serial number of 20 octets: Unix seconds, then 16 random octets.

    128 bits cannot be foretold, where [BR] §7.1 asks for 64; 20 octets are what
    RFC 5280 §4.1.2.2 allows.  The time tells no more than notBefore does; its
    highest bit is left out, because a serial is positive.
    """
    return ((now_s & 0x7FFF_FFFF) << 128) | int.from_bytes(entropy[:16])


def made_ms(record_id: str) -> int:
    """When an id of ours was made, in Unix milliseconds."""
    return int(record_id.replace("-", "")[:12], 16)
