"""ports.KeyVault over the signer's socket."""

import os
import select
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import CAError, Unavailable
from chancery.domain.keys import (
    CaAuthorisation,
    CertificateOrder,
    KeyInfo,
    KeyPurpose,
    KeyTransport,
    SignatureOnRecord,
)
from chancery.domain.vaults import SOFTWARE
from chancery.signer import door_messages, protocol, vault_messages
from chancery.signer.long_messages import WHOLE, BeginCrl, CrlPart, parts
from chancery.signer.managed.messages import SLOW

A = TypeVar("A", bound=protocol.Answer)
MAX_IDLE: Final = 16
ANSWER_S: Final = 10.0
"""Seconds for one answer.  The slowest batch takes two on a busy machine; a signer that
hangs is killed by the supervisor in about as long."""
SLOW_ANSWER_S: Final = 120.0
"""Seconds where a prime is looked for or a million entries travel: RSA-4096 has taken thirty."""
_SLOW: Final = (
    protocol.Generate,
    protocol.ImportKey,
    protocol.ExportPkcs12,
    protocol.SignCrl,
    CrlPart,
    vault_messages.ProbeVault,
    vault_messages.UnlockVault,
    *SLOW,
)


class SignerClient:
    """A pool of connections.  Safe for concurrent use, and across fork.

    Nothing is ever sent twice: a request whose answer did not come raises
    Unavailable, and ``signatures`` says what became of it.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        timeout_s: float = ANSWER_S,
        slow_timeout_s: float = SLOW_ANSWER_S,
    ) -> None:
        """Connects on first use, so the signer may start later.  The timeouts bound one answer."""
        self._path = str(path)
        self._timeout_s = timeout_s
        self._slow_timeout_s = slow_timeout_s
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []
        self._pid = os.getpid()

    def generate(
        self,
        key_id: str,
        algorithm: KeyAlgorithm,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
        vault: str = SOFTWARE,
    ) -> KeyInfo:
        request = protocol.Generate(key_id, algorithm, purpose, ca_approvals, vault)
        return self.ask(request, protocol.Described).info

    def import_key(
        self,
        key_id: str,
        pkcs8: bytes,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
        vault: str = SOFTWARE,
    ) -> KeyInfo:
        request = protocol.ImportKey(key_id, pkcs8, purpose, ca_approvals, vault)
        return self.ask(request, protocol.Described).info

    def adopt(
        self,
        key_id: str,
        vault: str,
        label: str,
        object_id: str,
        purpose: KeyPurpose,
        *,
        ca_approvals: int = 1,
    ) -> KeyInfo:
        request = vault_messages.AdoptKey(key_id, vault, label, object_id, purpose, ca_approvals)
        return self.ask(request, protocol.Described).info

    def key(self, key_id: str) -> KeyInfo:
        return self.ask(protocol.Describe(key_id), protocol.Described).info

    def bind(
        self,
        key_id: str,
        certificate: bytes,
        ekus: Sequence[str] | None = None,
        *,
        approvals: int = 0,
    ) -> None:
        """As the port says; and each end-entity order must name *approvals* distinct approvers."""
        limits = None if ekus is None else tuple(ekus)
        self.ask(protocol.Bind(key_id, certificate, limits, approvals), protocol.Done)

    def sign_certificates(self, orders: Sequence[CertificateOrder]) -> list[bytes | CAError]:
        answer = self.ask(protocol.SignCertificates(list(orders)), protocol.Batch)
        return [one if isinstance(one, bytes) else one.error() for one in answer.results]

    def sign_ca_certificate(
        self,
        key_id: str,
        algorithm: SignatureAlgorithm,
        tbs: bytes,
        authorisation: CaAuthorisation,
    ) -> bytes:
        request = protocol.SignCaCertificate(key_id, algorithm, tbs, authorisation)
        return self.ask(request, protocol.Signed).data

    def sign_csr(self, key_id: str, algorithm: SignatureAlgorithm, info: bytes) -> bytes:
        return self.ask(protocol.SignCsr(key_id, algorithm, info), protocol.Signed).data

    def sign_crl(self, key_id: str, algorithm: SignatureAlgorithm, tbs: bytes) -> bytes:
        if len(tbs) <= WHOLE:
            return self.ask(protocol.SignCrl(key_id, algorithm, tbs), protocol.Signed).data
        begin: list[protocol.Request] = [BeginCrl(key_id, algorithm, len(tbs))]
        steps: Iterable[protocol.Request] = chain(begin, parts(tbs))
        return self._ask_all(steps, protocol.Signed).data

    def sign_ocsp(self, key_id: str, algorithm: SignatureAlgorithm, tbs: bytes) -> bytes:
        return self.ask(protocol.SignOcsp(key_id, algorithm, tbs), protocol.Signed).data

    def sign_ocsp_all(
        self, key_id: str, algorithm: SignatureAlgorithm, tbss: Sequence[bytes]
    ) -> list[bytes]:
        answer = self.ask(protocol.SignOcspAll(key_id, algorithm, list(tbss)), protocol.Batch)
        return [one for one in answer.results if isinstance(one, bytes)]

    def sign_checkpoint(self, key_id: str, text: bytes) -> bytes:
        return self.ask(protocol.SignCheckpoint(key_id, text), protocol.Signed).data

    def sign_message(self, key_id: str, algorithm: SignatureAlgorithm, data: bytes) -> bytes:
        request = door_messages.SignMessage(key_id, algorithm, data)
        return self.ask(request, protocol.Signed).data

    def sign_legacy_message(self, key_id: str, data: bytes) -> bytes:
        return self.ask(door_messages.SignLegacyMessage(key_id, data), protocol.Signed).data

    def decrypt(self, key_id: str, transport: KeyTransport, ciphertext: bytes) -> bytes:
        request = door_messages.Decrypt(key_id, transport, ciphertext)
        return self.ask(request, protocol.Signed).data

    def export_pkcs12(
        self, key_id: str, certificate: bytes, chain: Sequence[bytes], passphrase: str
    ) -> bytes:
        request = protocol.ExportPkcs12(key_id, certificate, tuple(chain), passphrase)
        return self.ask(request, protocol.Signed).data

    def destroy(self, key_id: str) -> None:
        self.ask(protocol.Destroy(key_id), protocol.Done)

    def signatures(self, key_id: str, serials: Sequence[str]) -> Mapping[str, SignatureOnRecord]:
        found: dict[str, SignatureOnRecord] = {}
        for start in range(0, len(serials), protocol.MAX_SERIALS):
            part = tuple(serials[start : start + protocol.MAX_SERIALS])
            answer = self.ask(protocol.LookUp(key_id, part), protocol.Found)
            found |= {record.serial: record for record in answer.records}
        return found

    def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def ask(self, request: protocol.Request, expected: type[A]) -> A:
        """Send *request*, return its answer; what ``ManagedClient`` stands on."""
        return self._ask_all((request,), expected)

    def _ask_all(self, requests: Iterable[protocol.Request], expected: type[A]) -> A:
        """Send one after another on one connection; the answer to the last."""
        connection = self._connection()
        answer: protocol.Answer | None = protocol.Done()
        try:
            for request in requests:
                payload = protocol.encode(request)
                slow = isinstance(request, _SLOW)
                connection.settimeout(self._slow_timeout_s if slow else self._timeout_s)
                protocol.send(connection, payload)
                received = protocol.receive(connection)
                answer = None if received is None else protocol.decode_answer(received)
                if not isinstance(answer, protocol.Done):
                    break
        except (OSError, protocol.Garbled, Unavailable) as error:
            connection.close()
            raise _away(str(error)) from error
        except BaseException:
            connection.close()  # an answer may still come; it must not meet the next request
            raise
        if answer is None:
            connection.close()
            raise _away("it closed the connection")
        self._give_back(connection)
        if isinstance(answer, protocol.Failure):
            raise answer.error()
        if not isinstance(answer, expected):
            raise _away(f"it answered with {type(answer).__name__}")
        return answer

    def _connection(self) -> socket.socket:
        """An idle connection that still lives, or a new one."""
        with self._lock:
            if self._pid != os.getpid():  # after a fork the parent's connections are not ours
                self._idle, self._pid = [], os.getpid()
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._connect()
            if _alive(connection):
                return connection
            connection.close()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        connection.settimeout(self._timeout_s)
        try:
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            raise _away(error.strerror or str(error)) from error
        return connection

    def _give_back(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()


def _alive(connection: socket.socket) -> bool:
    """Whether the signer has kept this connection open; it sends nothing unasked."""
    state = select.poll()
    state.register(connection, select.POLLIN | select.POLLHUP | select.POLLERR)
    return not state.poll(0)


def _away(why: str) -> Unavailable:
    return Unavailable(
        f"the signer did not answer: {why}",
        rule="signer.away",
        remedy="try again; ask for its signatures first if this was a request to sign",
    )
