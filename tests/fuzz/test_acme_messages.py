"""Mutated ACME requests: read, or refused in our words; never an exception, never growth.

``make doors-fuzz`` sends a million; CHANCERY_ACME_MUTANTS says how many.
"""

import json
import os
import random
import resource

import acme_client as acme

from chancery.domain.errors import CAError
from chancery.protocols.acme import jws

MUTANTS = int(os.environ.get("CHANCERY_ACME_MUTANTS", "3000"))
GROWTH_MIB = 50
KEY = acme.new_key()
URL = f"{acme.BASE}/acme/main/new-order"
PAYLOADS: tuple[object, ...] = (
    None,
    {"identifiers": [{"type": "dns", "value": "www.example.org"}], "replaces": "a.b"},
    {"csr": acme.csr(acme.new_key(), "www.example.org")},
    {"externalAccountBinding": acme.mac("c2VjcmV0", {"alg": "HS256", "kid": "k", "url": URL}, {})},
)
VALID = [
    json.dumps(acme.jws(KEY, {"nonce": "bm9uY2U", "url": URL, **who}, payload)).encode()
    for payload in PAYLOADS
    for who in ({"kid": f"{acme.BASE}/acme/main/acct/1"}, {"jwk": acme.jwk_of(KEY)})
]
PIECES = (
    b"{",
    b"}",
    b'"',
    b"[" * 200,
    b"null",
    b"1e999",
    b"\\u0000",
    b"\xff",
    b",",
    b'"alg":"none"',
)


def mutant(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(VALID))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 16)]
            case 2:
                data[at:at] = chance.choice(PIECES)
            case _:
                data[at:at] = data[at : at + chance.randint(1, 64)] * chance.randint(1, 4)
    return bytes(data)


def look(data: bytes) -> None:
    try:
        found = jws.parse(data)
        jws.loads(found.payload, "payload")
    except CAError:
        return


def test_mutants() -> None:
    chance = random.Random(8555)
    for _ in range(500):
        look(mutant(chance))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MUTANTS):
        look(mutant(chance))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < GROWTH_MIB * 1024
