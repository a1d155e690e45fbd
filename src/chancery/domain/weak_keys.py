"""The Debian weak keys of 2008 (CVE-2008-0166): how they are listed and looked up.

The vulnerable OpenSSL could make only 32 767 keys per size and platform, so
they can be listed.  The lists name a key by the last 80 bits of the SHA-1 of
the line that ``openssl rsa -noout -modulus`` prints.
"""

import hashlib
from collections.abc import Callable, Iterable

from chancery.domain.errors import BadRequest

FINGERPRINT_OCTETS = 10


def debian_fingerprint(modulus: int) -> bytes:
    """The 10 octets by which the lists name an RSA modulus."""
    line = b"Modulus=%X\n" % modulus
    return hashlib.sha1(line, usedforsecurity=False).digest()[-FINGERPRINT_OCTETS:]


def debian_list(lines: Iterable[str]) -> Callable[[bytes], bool]:
    """Compile list files (``#`` comments, one hex fingerprint a line) into a look-up.

    Both the 20 digits that were distributed and whole 40-digit hashes are
    read.  Raises BadRequest naming the line that is neither.
    """
    listed: set[bytes] = set()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            digest = bytes.fromhex(text)
        except ValueError:
            digest = b""
        if len(digest) not in (FINGERPRINT_OCTETS, 20):
            raise BadRequest(f"weak-key list, line {number}: not a fingerprint: {text[:50]!r}")
        listed.add(digest[-FINGERPRINT_OCTETS:])
    return frozenset(listed).__contains__
