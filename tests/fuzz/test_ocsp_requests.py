"""Mutated OCSP requests on both roads: always an answer in OCSP's words, never an exception.

``make ocsp-fuzz`` sends a million; CHANCERY_OCSP_MUTANTS says how many.
"""

import base64
import logging
import os
import queue
import random
import resource
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.identity import SYSTEM
from chancery.protocols.ocsp import OcspHandler
from chancery.protocols.ocsp.quick import OcspQuick
from chancery.server.lane import Lane
from chancery.services.authority import Extensions, NewAuthority
from services.pki import House, signer

MUTANTS = int(os.environ.get("CHANCERY_OCSP_MUTANTS", "3000"))
GROWTH_MIB = 50
FAILURES = {b"\x30\x03\x0a\x01" + bytes([word]) for word in (1, 6)}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("fuzz")
    with signer(directory) as vault:
        house = House(directory, vault)
        house.authorities.create(
            SYSTEM,
            NewAuthority(
                "issuing", "lab", "CN=issuing", key_algorithm=KeyAlgorithm.EC_P256,
                extensions=Extensions(days=900),
            ),
        )  # fmt: skip
        yield house
        house.close()


def seeds(house: House) -> list[bytes]:
    issuer = x509.load_der_x509_certificate(house.status.authority_certificate("issuing"))
    leaf = x509.load_der_x509_certificate(house.leaf("issuing", "www.example.org").der)
    found = []
    for digest in (hashes.SHA1(), hashes.SHA256(), hashes.SHA512()):
        for nonce in (None, b"n" * 32, b"n" * 128, b"n" * 129):
            builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, digest)
            if nonce is not None:
                builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
            found.append(builder.build().public_bytes(Encoding.DER))
    return found


def mutate(chance: random.Random, data: bytes) -> bytes:
    mutant = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(mutant) + 1)
        match chance.randrange(5):
            case 0 if at < len(mutant):
                mutant[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(mutant):
                mutant[at] = chance.choice((0, 1, 0x30, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF))
            case 2:
                del mutant[at : at + chance.randrange(1, 9)]
            case 3:
                mutant[at:at] = chance.randbytes(chance.randrange(1, 9))
            case _:
                mutant[at:at] = mutant[at : at + 200] * chance.randrange(1, 4)
    return bytes(mutant)


def test_every_mutant_is_answered(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    chance = random.Random(int(os.environ.get("CHANCERY_OCSP_SEED", "20261124")))
    handler = OcspHandler(house.status, house.clock)
    desk = house.status.desk
    desk.open(lambda told: [then(answer) for then, answer in told] and None)
    quick, sown = OcspQuick(desk, house.clock), seeds(house)
    grown_from = 0
    try:
        for number in range(MUTANTS):
            mutant = mutate(chance, chance.choice(sown))
            check(handler, quick, mutant, get=number % 3 == 0)
            if number == min(MUTANTS // 4, 100_000):
                grown_from = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    finally:
        desk.close()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown_from
    assert grown < GROWTH_MIB * 1024
    assert not [record for record in caplog.records if record.exc_info], caplog.text


def check(handler: OcspHandler, quick: OcspQuick, mutant: bytes, *, get: bool) -> None:
    """Both roads, as HTTP: the quick one answers as the slow one does, or leaves it to that."""
    text = quote(base64.b64encode(mutant), safe="")
    if get:
        status, _, slow = handler.handle("GET", f"/issuing/{text}", b"")
        http = f"GET /ocsp/issuing/{text} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    else:
        status, _, slow = handler.handle("POST", "/issuing", mutant, "application/ocsp-request")
        head = f"POST /ocsp/issuing HTTP/1.1\r\nContent-Length: {len(mutant)}\r\n\r\n"
        http = head.encode() + mutant
    assert status == 200
    assert slow in FAILURES or ocsp.load_der_ocsp_response(slow).response_status.value == 0
    asked = Lane({b"ocsp": quick}, print).read(http)
    if asked is None:
        return
    head, body = asked
    told: queue.Queue[bytes | None] = queue.Queue()
    found: Any = quick.answer(head.target, body, told.put)
    octets = told.get(timeout=10) if found is True else found
    if octets:
        fast = ocsp.load_der_ocsp_response(octets.partition(b"\r\n\r\n")[2])
        whole = ocsp.load_der_ocsp_response(slow)
        assert fast.certificate_status is whole.certificate_status
        assert fast.serial_number == whole.serial_number


@pytest.mark.parametrize(
    ("body", "kind", "status", "word"),
    [
        (b"", None, 200, 1),
        (b"\x30", "application/ocsp-request", 200, 1),
        (b"\x30\x84\xff\xff\xff\xff" + bytes(100), None, 200, 1),
        (b"\x30\x80" * 4000, None, 200, 1),  # nested for ever, of indefinite length
        (bytes(8193), None, 200, 1),
        (b"{}", "application/json", 415, None),
    ],
)
def test_what_is_no_request(
    house: House, body: bytes, kind: str | None, status: int, word: int | None
) -> None:
    got, _, answer = OcspHandler(house.status, house.clock).handle("POST", "/issuing", body, kind)
    assert got == status
    if word is not None:
        assert answer == b"\x30\x03\x0a\x01" + bytes([word])
