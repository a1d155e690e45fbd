"""TLS: who the client is, which clients are believed, and new files without a restart."""

import shutil
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from listening import Party, Wire, echo, party, serving

from chancery.server.listeners import Listener
from chancery.server.tls import TlsContexts


@dataclass
class House:
    """A server with a plain and a TLS listener, and the people who know it."""

    directory: Path
    root: Party
    middle: Party
    server: Party
    plain: int
    tls: int
    contexts: TlsContexts

    def context(
        self, client: Party | None = None, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if client is not None:
            context.load_cert_chain(*client.write(self.directory, "client"))
        return context

    def ask(self, client: Party | None = None, version: ssl.TLSVersion | None = None) -> bytes:
        with Wire(self.tls, self.context(client, version)) as wire:
            wire.send(b"GET /tls HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return wire.rest()

    def refuses(self, client: Party, version: ssl.TLSVersion) -> bool:
        """Say whether the handshake failed; in TLS 1.3 the client learns it only by reading."""
        try:
            return self.ask(client, version) == b""
        except (ssl.SSLError, ConnectionError):
            return True


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    root = party("root", ca=True)
    middle = party("middle", root, ca=True)
    server = party("localhost", root)
    certificate, key = server.write(tmp_path, "server")
    (tmp_path / "ca.pem").write_bytes(root.pem())
    contexts = TlsContexts(certificate, key, tmp_path / "ca.pem")
    listeners = [Listener("127.0.0.1", 0), Listener("127.0.0.1", 0, contexts)]
    with serving(echo, listeners) as (_, (plain, tls)):
        yield House(tmp_path, root, middle, server, plain, tls, contexts)


def pem(party: Party) -> bytes:
    return party.certificate.public_bytes(Encoding.PEM)


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_application_sees_the_verified_chain(house: House, version: ssl.TLSVersion) -> None:
    client = party("rita", house.middle)
    answer = house.ask(client, version)
    assert pem(client) + pem(house.middle) + pem(house.root) in answer


@pytest.mark.parametrize("version", VERSIONS)
def test_both_ends_know_the_channel_in_tls_1_2_alone(house: House, version: ssl.TLSVersion) -> None:
    with Wire(house.tls, house.context(version=version)) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        binding = wire.socket.get_channel_binding("tls-unique")
        assert binding is not None
        wire.send(b"GET /binding HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        seen = (
            b"GET /binding "
            + (binding if version is ssl.TLSVersion.TLSv1_2 else b"none").hex().encode()
        )
        assert seen in wire.rest()


@pytest.mark.parametrize("version", VERSIONS)
def test_no_certificate_is_an_empty_chain(house: House, version: ssl.TLSVersion) -> None:
    assert house.ask(version=version).endswith(b"GET /tls !")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["stranger", "expired"])
def test_a_certificate_that_does_not_verify_gets_no_answer(
    house: House, kind: str, version: ssl.TLSVersion
) -> None:
    other = party("other root", ca=True)
    client = party("eve", other) if kind == "stranger" else party("rita", house.root, expired=True)
    assert house.refuses(client, version)


def test_plain_and_tls_side_by_side(house: House) -> None:
    with Wire(house.plain) as wire:
        wire.send(b"GET /tls HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert wire.rest().endswith(b"GET /tls plain!")


def test_old_tls_is_refused(house: House) -> None:
    context = house.context()
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(house.tls, context)


def test_nothing_is_resumed(house: House) -> None:
    context = house.context()
    with Wire(house.tls, context) as wire:
        wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        wire.until(b"!")
        assert isinstance(wire.socket, ssl.SSLSocket)
        session = wire.socket.session
        assert session is None or not session.has_ticket


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_root_is_believed_without_a_restart(house: House, version: ssl.TLSVersion) -> None:
    other = party("new root", ca=True)
    client = party("rita", other)
    (house.directory / "ca.pem").write_bytes(house.root.pem() + other.pem())
    assert house.contexts.refresh()
    assert pem(client) in house.ask(client, version)

    shutil.copy(house.directory / "ca.pem", house.directory / "kept.pem")
    (house.directory / "ca.pem").write_bytes(house.root.pem())
    assert house.contexts.refresh()
    assert house.refuses(client, version)


def test_a_new_server_certificate_is_shown_without_a_restart(house: House) -> None:
    renewed = party("localhost", house.root)
    renewed.write(house.directory, "server")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:  # the server looks by itself, every few seconds
        with Wire(house.tls, house.context()) as wire:
            assert isinstance(wire.socket, ssl.SSLSocket)
            if wire.socket.getpeercert(binary_form=True) == renewed.certificate.public_bytes(
                Encoding.DER
            ):
                return
        time.sleep(0.2)
    pytest.fail("the renewed certificate was never shown")


def test_files_that_do_not_load_change_nothing(house: House) -> None:
    stranger = party("localhost", house.root)
    certificate, _ = stranger.write(house.directory, "stranger")
    certificate.replace(house.directory / "server.pem")  # its key has not come yet
    assert not house.contexts.refresh()
    assert house.ask().endswith(b"GET /tls !")

    (house.directory / "stranger.key").replace(house.directory / "server.key")
    assert house.contexts.refresh()
    assert house.ask().endswith(b"GET /tls !")


@pytest.mark.parametrize("bundle", ["missing", "empty"])
def test_without_client_cas_nobody_is_asked(tmp_path: Path, bundle: str) -> None:
    certificate, key = party("localhost").write(tmp_path, "server")
    if bundle == "empty":
        (tmp_path / "ca.pem").touch()
    contexts = TlsContexts(certificate, key, tmp_path / "ca.pem")
    assert contexts.listening.verify_mode is ssl.CERT_NONE
