"""Whom a CertID means: every key of every authority that answers here, by its hashes."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from chancery.domain.authority import Authority
from chancery.domain.status import OcspPolicy, SignedRequests
from chancery.ports import Session, Store
from chancery.services.issuers import CaKey, ca_keys
from chancery.wire import der

FRESH_S: Final = 2.0
"""How long a change of keys or policy made by another process may go unseen, in seconds."""

_ALGORITHMS: Final = {"sha1": der.oid("1.3.14.3.2.26"), "sha256": der.oid("2.16.840.1.101.3.4.2.1")}
_NO_PARAMETERS: Final = (b"\x05\x00", b"")  # NULL, as most write it, or nothing


@dataclass(frozen=True, slots=True)
class Issuer:
    """One key of an authority, and how the authority answers."""

    authority: Authority
    key: CaKey
    policy: OcspPolicy


@dataclass(frozen=True, slots=True)
class Issuers:
    """*by_hash*: (``sha1`` or ``sha256``, name hash, key hash); *by_octets*: a CertID less serial,
    of those that usual requests may ask.

    *names* are authorities that have a responder here.
    """

    names: tuple[str, ...] = ()
    by_hash: Mapping[tuple[str, bytes, bytes], Issuer] = field(default_factory=dict)
    by_octets: Mapping[bytes, Issuer] = field(default_factory=dict)


Serves = Callable[[Authority, CaKey], bool]


def signs_here(authority: Authority, key: CaKey) -> bool:
    """Whether a responder for *key* can be made here: an offline authority vouches for none."""
    return not authority.offline and key.key_id is not None


class IssuerIndex:
    """The present issuers, at most FRESH_S old.  Safe for concurrent use."""

    def __init__(self, store: Store, serves: Serves = signs_here) -> None:
        self._store = store
        self._serves = serves
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._seen: object = None
        self.latest = Issuers()

    def current(self) -> Issuers:
        if time.monotonic() - self._read_at >= FRESH_S:
            self.refresh()
        return self.latest

    def refresh(self) -> None:
        """Look at the record now."""
        with self._lock, self._store.read() as session:
            policies = session.statuses.policies()
            authorities = session.authorities.all()
            # A new key comes with a new certificate of its authority.
            if self._seen != (seen := (authorities, dict(policies))):
                self.latest = self._build(session, authorities, policies)
                self._seen = seen
            self._read_at = time.monotonic()

    def forget(self) -> None:
        """Keys have changed: look before the next answer."""
        self._seen = None
        self._read_at = float("-inf")

    def _build(
        self,
        session: Session,
        authorities: list[Authority],
        policies: Mapping[str, OcspPolicy],
    ) -> Issuers:
        by_hash: dict[tuple[str, bytes, bytes], Issuer] = {}
        by_octets: dict[bytes, Issuer] = {}
        names: list[str] = []
        for authority in authorities:
            policy = policies.get(authority.name, OcspPolicy())
            served = [
                Issuer(authority, key, policy)
                for key in ca_keys(session.authorities.certificates(authority.name))
                if self._serves(authority, key)
            ]
            for issuer in served:
                _enter(issuer, by_hash, by_octets)
            if served:
                names.append(authority.name)
        return Issuers(tuple(names), by_hash, by_octets)


def _enter(
    issuer: Issuer,
    by_hash: dict[tuple[str, bytes, bytes], Issuer],
    by_octets: dict[bytes, Issuer],
) -> None:
    certificate = issuer.key.certificate
    for method, algorithm in _ALGORITHMS.items():
        name, bits = (
            hashlib.new(method, octets, usedforsecurity=False).digest()
            for octets in (certificate.subject_der, certificate.key_bits)
        )
        by_hash[method, name, bits] = issuer
        if issuer.policy.requests is SignedRequests.REQUIRE:
            continue  # a signed request is not a usual one, and no other is answered
        hashes = der.octet_string(name) + der.octet_string(bits)
        for parameters in _NO_PARAMETERS:
            by_octets[der.sequence(algorithm, parameters) + hashes] = issuer
