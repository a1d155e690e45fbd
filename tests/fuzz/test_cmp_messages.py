"""Mutated CMP messages: always an answer in CMP's words, never an exception, never growth.

``make doors-fuzz`` sends a million; CHANCERY_CMP_MUTANTS says how many.
"""

import os
import random
import resource
from contextlib import suppress
from pathlib import Path

from chancery.domain.errors import CAError
from chancery.wire import cmp, cmp_bodies, cmp_mac, crmf, pkcs10

MUTANTS = int(os.environ.get("CHANCERY_CMP_MUTANTS", "3000"))
GROWTH_MIB = 50
VECTORS = [
    path.read_bytes()
    for path in sorted((Path(__file__).parents[1] / "vectors" / "cmp").glob("*.der"))
]
BODIES = (
    lambda content: pkcs10.decode(cmp_bodies.requests(content)),
    cmp_bodies.read_response,
    cmp_bodies.confirmations,
    cmp_bodies.revocations,
    cmp_bodies.poll_ids,
    cmp_bodies.read_error,
    crmf.decode_message,
    pkcs10.decode,
)


def mutant(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(VECTORS))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(5):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 16)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 16))
            case 3:
                data[at] = chance.choice((0x30, 0x80, 0xFF, 0x84, 0xA0, 0x1F))
            case _:
                part = data[at : at + chance.randint(1, 64)]
                data[at:at] = bytes(part) * chance.randint(1, 8)
        if not data:
            return b""
    return bytes(data)


def look(data: bytes) -> None:
    try:
        message = cmp.decode(data)
    except CAError:
        return
    with suppress(CAError):
        cmp_mac.decode(message.header.protection or b"")
    for body in BODIES:
        try:
            body(message.content)
        except CAError:
            continue


def test_mutants() -> None:
    chance = random.Random(9810)
    for _ in range(500):
        look(mutant(chance))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MUTANTS):
        look(mutant(chance))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < GROWTH_MIB * 1024
