"""Whatever arrives on the signer's socket: an answer or the end of the connection, never a crash."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import signing as s
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain import errors
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import BadRequest, CAError, Unavailable
from chancery.domain.keys import KeyPurpose
from chancery.signer import protocol, tbs
from chancery.signer.client import SignerClient
from chancery.signer.journal import Journal
from chancery.signer.protocol import Failure, Garbled
from chancery.signer.server import Server
from chancery.signer.service import Signer
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import open_vault

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20)
    | st.binary(max_size=40) | st.floats(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
TAGS = st.sampled_from([kind.__name__ for kind in get_args(protocol.Request)])


@given(st.binary(max_size=300))
def test_octets_are_a_request_or_garbled(data: bytes) -> None:
    for decode in (protocol.decode_request, protocol.decode_answer):
        try:
            decode(data)
        except Garbled:
            continue


@given(TAGS, st.lists(VALUES, max_size=6))
def test_well_formed_nonsense_is_a_request_or_garbled(tag: str, fields: list[object]) -> None:
    try:
        request = protocol.decode_request(msgspec.msgpack.encode([tag, *fields]))
    except Garbled:
        return
    assert protocol.decode_request(protocol.encode(request)) == request


def test_deep_nesting_is_garbled() -> None:
    try:
        protocol.decode_request(b"\x91" * 100_000)
    except Garbled:
        return
    raise AssertionError("taken")


@given(st.binary(max_size=200))
def test_a_stream_ends_or_yields_frames(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        ours.settimeout(5)
        try:
            while protocol.receive(ours) is not None:
                pass
        except (Garbled, Unavailable):
            return


@given(st.text(min_size=1, max_size=40), st.sampled_from(list(KeyAlgorithm)))
def test_requests_survive_the_wire(key_id: str, algorithm: KeyAlgorithm) -> None:
    request = protocol.Generate(key_id, algorithm, KeyPurpose.OCSP, 1)
    assert protocol.decode_request(protocol.encode(request)) == request


def test_every_error_survives_the_wire() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, CAError)
    ]
    for kind in kinds:
        answer = Failure.of(kind("why", field="f", rule="r", remedy="m"))
        back = protocol.decode_answer(protocol.encode(answer))
        assert isinstance(back, Failure)
        error = back.error()
        assert type(error) is kind
        assert (str(error), error.field, error.rule, error.remedy) == ("why", "f", "r", "m")


@given(st.binary(max_size=300))
def test_the_signers_own_parsers_refuse_what_they_do_not_know(data: bytes) -> None:
    algorithm = SignatureAlgorithm.ECDSA_SHA256
    for parse in (
        lambda d: tbs.certificate(d, algorithm),
        lambda d: tbs.certificate_list(d, algorithm),
        tbs.signed_certificate,
        tbs.request_key,
        tbs.response_data,
    ):
        try:
            parse(data)
        except BadRequest:
            continue


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server in this process; the path of its socket."""
    home = s.SignerProcess.create(tmp_path_factory.mktemp("signer")).home
    vault = open_vault(home / "vault", KeyFile(home / "unseal.key"))
    journal = Journal(home / "journal")
    signer = Signer(vault, journal)
    signer.generate("k", KeyAlgorithm.EC_P256, KeyPurpose.OCSP)
    server = Server(
        signer, home / "run" / "signer.sock", uid=os.geteuid(), log=lambda event, **facts: None
    )
    runner = threading.Thread(target=server.run)
    runner.start()
    yield home / "run" / "signer.sock"
    server.stop()
    runner.join()
    journal.close()


FRAMES = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(lambda data: len(data).to_bytes(4) + data),
    st.builds(
        lambda tag, fields: framed(msgspec.msgpack.encode([tag, *fields])),
        TAGS,
        st.lists(VALUES, max_size=6),
    ),
)


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4) + payload


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, min_size=1, max_size=4))
def test_no_frame_stops_the_server(door: Path, frames: list[bytes]) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(door))
        try:
            connection.sendall(b"".join(frames))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    with closing(SignerClient(door)) as client:
        assert client.key("k").key_id == "k"
