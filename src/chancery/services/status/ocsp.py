"""OCSP answers (RFC 6960): good only for what is on record, signed when asked.

A serial is known from its intent on, so nobody ever hears "unknown" about a
certificate that exists (C14).  An abandoned intent was never signed: whoever
presents a certificate with its serial did not get it from us, and hears
"unknown", as for every serial we never chose (RFC 6960's extended "revoked"
for non-issued certificates is not used).
"""

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from chancery.domain.authority import Authority
from chancery.domain.certificate import CertificateStatus, RevokedEntry
from chancery.domain.errors import NotFound, NotPermitted
from chancery.ports import Clock, KeyVault, Store
from chancery.services.issuers import CaKey, ca_keys, find
from chancery.services.status.responders import Responders
from chancery.wire import der, ocsp
from chancery.wire.crl import generalized_time

_Status = tuple[CertificateStatus, RevokedEntry | None] | None

_FRESH_S = 2.0
"""How long a change of keys made by another process may go unseen, in seconds."""

_CACHED = 20_000
"""Signed answers kept: about 1 KiB each with an EC responder, 3 KiB with RSA."""


@dataclass(frozen=True, slots=True)
class _Known:
    """An authority's keys by the hashes that a CertID may name them with."""

    authority: Authority
    keys: dict[tuple[str, bytes, bytes], CaKey]
    read_at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A signed OCSPResponse.  Times are Unix seconds."""

    der: bytes
    this_update: int
    next_update: int


class OcspResponder:
    """Answers requests.  Safe for concurrent use."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        clock: Clock,
        responders: Responders,
        *,
        lifetime_s: int,
        reuse_s: int,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._responders = responders
        self._lifetime_s = lifetime_s
        self._reuse_s = reuse_s
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, bytes], tuple[_Status, Answer]] = OrderedDict()

    def forget(self, name: str) -> None:
        """The authority's keys have changed."""
        self._known.pop(name, None)

    def answer(self, name: str, request_der: bytes) -> Answer:
        """Answer for one authority.

        Raises BadRequest for what is no request, NotFound for an unknown
        authority, NotPermitted where every CertID belongs to another CA.
        """
        request = ocsp.decode_request(request_der)
        known = self._authority(name)
        asked = [
            (cert_id, known.keys.get((cert_id.hash or "", *_hashes(cert_id))))
            for cert_id in request.cert_ids
        ]
        key = next((key for _, key in asked if key is not None), None)
        if key is None:
            raise NotPermitted(
                f"none of these certificates was issued by {name}",
                field="request",
                rule="ocsp.issuer",
                remedy="ask the responder that the certificate names",
            )
        with self._store.read() as session:
            statuses = [
                session.certificates.status(name, cert_id.serial) if issuer else None
                for cert_id, issuer in asked
            ]
        if request.nonce is None and len(asked) == 1:
            return self._reusable(known, key, asked[0][0], statuses[0])
        return self._sign(known, key, request, statuses)

    def _authority(self, name: str) -> _Known:
        known = self._known.get(name)
        if known is not None and time.monotonic() - known.read_at < _FRESH_S:
            return known
        with self._store.read() as session:
            authority = find(session, name)
            keys = ca_keys(session.authorities.certificates(name))
        if authority.offline or not any(key.key_id for key in keys):
            raise NotFound(f"{name} has no responder here", field="authority")
        known = _Known(authority, _by_hash(keys), time.monotonic())
        self._known[name] = known
        return known

    def _reusable(self, known: _Known, key: CaKey, cert_id: ocsp.CertId, status: _Status) -> Answer:
        """An answer without a nonce serves everybody, for as long as the record says the same."""
        index = (known.authority.name, cert_id.raw)
        with self._lock:
            kept = self._answers.get(index)
            if kept is not None:
                self._answers.move_to_end(index)
        if kept is not None and kept[0] == status:
            age = self._clock.s() - kept[1].this_update
            if age < self._reuse_s:
                return kept[1]
        answer = self._sign(known, key, ocsp.Request((cert_id,), None), [status])
        with self._lock:
            self._answers[index] = (status, answer)
            while len(self._answers) > _CACHED:
                self._answers.popitem(last=False)
        return answer

    def _sign(
        self, known: _Known, key: CaKey, request: ocsp.Request, statuses: list[_Status]
    ) -> Answer:
        responder = self._responders.responder(known.authority, key)
        now = self._clock.s()
        # An answer must not outlive the certificate that vouches for it.
        next_update = min(now + self._lifetime_s, responder.certificate.not_after)
        produced = generalized_time(now)
        ends = der.tlv(0xA0, generalized_time(next_update))
        singles = [
            ocsp.single(cert_id.raw, _cert_status(status), this_update=produced, next_update=ends)
            for cert_id, status in zip(request.cert_ids, statuses, strict=True)
        ]
        data = ocsp.response_data(responder.wire, produced, singles, request.nonce)
        signature = self._vault.sign_ocsp(responder.key_id, responder.algorithm, data)
        return Answer(ocsp.response(responder.wire, data, signature), now, next_update)


def _cert_status(status: _Status) -> bytes:
    if status is None or status[0] is CertificateStatus.ABANDONED:
        return ocsp.UNKNOWN
    if status[1] is not None:
        return ocsp.revoked(status[1])
    return ocsp.GOOD


def _hashes(cert_id: ocsp.CertId) -> tuple[bytes, bytes]:
    return cert_id.issuer_name_hash, cert_id.issuer_key_hash


def _by_hash(keys: list[CaKey]) -> dict[tuple[str, bytes, bytes], CaKey]:
    found = {}
    for key in keys:
        if key.key_id is not None:
            for method in ("sha1", "sha256"):
                name = _digest(method, key.certificate.subject_der)
                bits = _digest(method, key.certificate.key_bits)
                found[method, name, bits] = key
    return found


def _digest(method: str, data: bytes) -> bytes:
    return hashlib.new(method, data, usedforsecurity=False).digest()
