"""Mutated EST bodies: read, or refused in our words; never an exception, never growth.

``make doors-fuzz`` sends a million; CHANCERY_EST_MUTANTS says how many.
"""

import base64
import os
import random
import resource

from cmc_client import pki_data

from chancery.domain.errors import CAError
from chancery.wire import cmc, der, est, est_wishes, pem, pkcs10
from services.csr import p256_csr

MUTANTS = int(os.environ.get("CHANCERY_EST_MUTANTS", "2000"))
GROWTH_MIB = 50
LIMIT = 65_536
CSR = pem.decode(p256_csr("www.example.org").encode(), pkcs10.LABELS, LIMIT)[1]
DATA = pki_data(CSR, [(cmc.TRANSACTION_ID, der.integer(7))])
VALID = [form for one in (CSR, DATA) for form in (one, base64.b64encode(one))]
VALID.append(p256_csr("pem.example.org").encode())


def mutant(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(VALID))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 16)]
            case 2:
                data[at] = chance.choice((0x30, 0x80, 0xFF, 0x84, 0xA0, 0x2D))
            case _:
                data[at:at] = data[at : at + chance.randint(1, 64)] * chance.randint(1, 4)
        if not data:
            return b""
    return bytes(data)


def look(data: bytes) -> None:
    try:
        found = est.decode(data, pkcs10.LABELS, LIMIT)
    except CAError:
        return
    for read in (cmc.read, lambda one: est_wishes.read(pkcs10.decode(one).info)):
        try:
            read(found)
        except CAError:
            continue


def test_mutants() -> None:
    chance = random.Random(7030)
    for _ in range(500):
        look(mutant(chance))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MUTANTS):
        look(mutant(chance))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < GROWTH_MIB * 1024
