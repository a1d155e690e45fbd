"""Answers signed on the event loop: whole batches, and a signer that is away or hangs."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from ocsp_asking import change, request, wait

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.certificate import CertificateStatus
from chancery.domain.identity import SYSTEM
from chancery.protocols.ocsp.quick import OcspQuick
from chancery.services.authority import Extensions, NewAuthority
from chancery.services.status.window import Loop
from chancery.signer.channel import SignerChannel
from services.pki import House, signer


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("window")
    with signer(directory) as vault:
        house = House(directory, vault)
        for name in ("issuing", "other"):
            house.authorities.create(
                SYSTEM,
                NewAuthority(
                    name, "lab", f"CN={name}", key_algorithm=KeyAlgorithm.EC_P256,
                    extensions=Extensions(days=900),
                ),
            )  # fmt: skip
        yield house
        house.close()


def on_a_loop(
    house: House, path: Path, work: Callable[["Asked"], Coroutine[Any, Any, None]]
) -> None:
    """Open a desk of its own on a fresh loop, with the signer at *path*, and do *work* there."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        status = house.again()
        channel = SignerChannel(loop, path, patience_s=0.2)
        desk = status.desk
        desk.open(
            lambda told: loop.call_soon_threadsafe(lambda: [t(a) for t, a in told]) and None,
            Loop(loop.call_soon, channel),
        )
        try:
            await asyncio.to_thread(wait, lambda: desk.sees)
            await work(Asked(OcspQuick(desk, house.clock), desk, channel))
        finally:
            channel.close()
            await asyncio.to_thread(desk.close)

    uvloop.run(main())


class Asked:
    def __init__(self, quick: OcspQuick, desk: Any, channel: SignerChannel) -> None:
        self.quick, self.desk, self.channel = quick, desk, channel

    async def answer(self, data: bytes, target: bytes = b"/ocsp") -> ocsp.OCSPResponse:
        came: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        found = self.quick.answer(target, data, came.set_result)
        octets = await asyncio.wait_for(came, 5) if found is True else found
        assert isinstance(octets, bytes)
        return ocsp.load_der_ocsp_response(octets.partition(b"\r\n\r\n")[2])

    @property
    def signed(self) -> int:
        return int(self.desk._window.signed)


def test_a_batch_of_two_issuers_is_signed_on_the_loop(house: House) -> None:
    leaves = [
        (ca, house.leaf(ca, f"{n}.example.org")) for ca in ("issuing", "other") for n in range(40)
    ]

    async def work(asked: Asked) -> None:
        for ca, leaf in leaves:  # now their statuses are known, and a line is open
            await asked.answer(request(house, leaf.serial, ca=ca))
        await asked.answer(request(house, leaves[0][1].serial, nonce=b"1"))
        before = asked.signed
        nonces = [os.urandom(16) for _ in leaves]
        answers = await asyncio.gather(
            *(
                asked.answer(request(house, leaf.serial, ca=ca, nonce=nonce))
                for (ca, leaf), nonce in zip(leaves, nonces, strict=True)
            )
        )
        assert asked.signed == before + len(leaves)
        for (_, leaf), nonce, answer in zip(leaves, nonces, answers, strict=True):
            assert answer.serial_number == int(leaf.serial, 16)
            assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
            assert [e.value for e in answer.extensions] == [x509.OCSPNonce(nonce)]
            key = answer.certificates[0].public_key()
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
        change(house, leaves[3][1], CertificateStatus.REVOKED)
        data = request(house, leaves[3][1].serial, nonce=b"after")
        assert (await asked.answer(data)).certificate_status is ocsp.OCSPCertStatus.REVOKED

    on_a_loop(house, house.directory / "run" / "signer.sock", work)


def test_while_there_is_no_line_a_thread_answers_and_a_line_is_found_again(house: House) -> None:
    place = house.directory / "later.sock"
    leaf = house.leaf("issuing", "later.example.org")

    async def work(asked: Asked) -> None:
        for n in range(4):
            await asked.answer(request(house, leaf.serial, nonce=b"%d" % n))
        assert asked.signed == 0
        place.symlink_to(house.directory / "run" / "signer.sock")
        for n in range(300):
            await asked.answer(request(house, leaf.serial, nonce=b"%d" % n))
            if asked.signed:
                break
            await asyncio.sleep(0.01)
        assert asked.signed

    on_a_loop(house, place, work)


def test_a_signer_that_hangs_is_let_go_of_and_a_thread_answers(house: House) -> None:
    place = house.directory / "hangs.sock"
    leaf = house.leaf("issuing", "hangs.example.org")
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(place))
        deaf.listen()

        async def work(asked: Asked) -> None:
            await asked.answer(request(house, leaf.serial, nonce=b"1"))
            await asked.answer(request(house, leaf.serial, nonce=b"2"))
            await asyncio.sleep(0.05)  # the line is open by now
            answers = await asyncio.gather(
                *(asked.answer(request(house, leaf.serial, nonce=b"%d" % n)) for n in range(9))
            )
            assert all(a.certificate_status is ocsp.OCSPCertStatus.GOOD for a in answers)
            assert asked.signed == 0
            assert asked.channel.busy == 0

        on_a_loop(house, place, work)


def test_a_refusal_ends_no_line(house: House) -> None:
    told: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        channel = SignerChannel(loop, house.directory / "run" / "signer.sock")
        how = SignatureAlgorithm.ECDSA_SHA256
        channel.sign("none", how, [b"x"], told.append)  # not open yet
        while not channel.open:
            await asyncio.sleep(0.01)
        for _ in range(2):
            channel.sign("none", how, [b"x"], told.append)
        while channel.busy:
            await asyncio.sleep(0.01)
        assert channel.open
        channel.close()

    uvloop.run(main())
    assert told == [None, None, None]
