"""Mutated SCEP messages: always an answer in our own words, never another exception, no growth.

``make doors-fuzz`` sends a million; CHANCERY_SCEP_MUTANTS says how many.
"""

import os
import random
import resource

import scep_client as c

from chancery.domain.errors import CAError
from chancery.protocols.scep.opening import open_message
from chancery.wire import cms, pkcs10, scep

MUTANTS = int(os.environ.get("CHANCERY_SCEP_MUTANTS", "1500"))
GROWTH_MIB = 50
SEEDS = [
    (c.VECTORS / f"{name}.der").read_bytes() for name in ("strongswan", "certmonger", "scepclient")
]
RECIPIENTS = tuple((c.VECTORS / f"{name}.crt.der").read_bytes() for name in ("ra", "certmonger-ra"))


def mutated(message: bytes, chance: random.Random) -> bytes:
    data = bytearray(message)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(6):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at] = chance.choice((0, 0x80, 0x84, 0xFF, 0x30, 0x24, 0xA0, 0x1F))
            case 2:
                del data[at : at + chance.randint(1, 64)]
            case 3:
                data[at:at] = chance.randbytes(chance.randint(1, 16))
            case 4:
                data[at:at] = data[at : at + chance.randint(1, 256)]
            case _:
                data[at:at] = b"\x30\x80" * chance.randint(1, 40)
        data = data or bytearray(b"\0")
    return bytes(data)


def handled(message: bytes) -> None:
    """What a door does with it, up to the desk."""
    try:
        signed = cms.read_signed(message)
        whole = scep.attributes(signed).demand()
        opened = open_message(signed, whole, RECIPIENTS, lambda _, key: key[:16], legacy=True)
        pkcs10.decode(opened.payload)
    except CAError:
        pass


def test_mutants() -> None:
    chance = random.Random(8894)
    for _ in range(200):
        handled(mutated(chance.choice(SEEDS), chance))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MUTANTS):
        handled(mutated(chance.choice(SEEDS), chance))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < GROWTH_MIB * 1024
