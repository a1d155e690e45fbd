"""The responders of a validation authority: keys of its own, certificates that CAs gave it."""

import logging
import threading
from collections.abc import Callable, Sequence

from chancery.domain.authority import Authority
from chancery.domain.errors import BadRequest, CAError, NotFound, Unavailable
from chancery.ports import Clock, KeyVault
from chancery.services.issuers import CaKey
from chancery.services.status.responder import SigningResponder, signing_responder
from chancery.wire import ca_certificate
from chancery.wire.ca_certificate import CaCertificate

_log = logging.getLogger(__name__)

OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"


def key_id_of(ca: CaCertificate) -> str:
    """The name of the key that answers for this key of a CA."""
    return f"va-{ca.key_identifier.hex()[:32]}"


class AppointedResponders:
    """Finds responders among the certificates there are.  Safe for concurrent use.

    *certificates* reads them (DER) anew each time; one that is not for a key of
    ours, or no responder's, is told in the log and left out.
    """

    def __init__(
        self, vault: KeyVault, clock: Clock, certificates: Callable[[], Sequence[bytes]]
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._certificates = certificates
        self._lock = threading.Lock()
        self._seen: Sequence[bytes] = ()
        self._found: dict[bytes, CaCertificate] = {}
        self._ready: dict[bytes, SigningResponder] = {}

    def refresh(self) -> bool:
        """Look at the certificates; say whether there are others than before."""
        with self._lock:
            seen = self._certificates()
            if seen == self._seen:
                return False
            found: dict[bytes, CaCertificate] = {}
            for der in seen:
                try:
                    one = _responder(der)
                except CAError as error:
                    _log.warning("a responder certificate is left out: %s", error)
                    continue
                issuer = one.authority_key_identifier or b""
                if issuer not in found or found[issuer].not_after < one.not_after:
                    found[issuer] = one
            self._seen, self._found, self._ready = seen, found, {}
            return True

    def serves(self, authority: Authority, key: CaKey) -> bool:  # noqa: ARG002 - any state
        return key.certificate.key_identifier in self._found

    def ends(self) -> dict[str, int]:
        """Unix seconds at which each responder's certificate ends, by its issuer's name."""
        return {one.issuer.text: one.not_after for one in self._found.values()}

    def responder(self, authority: Authority, key: CaKey) -> SigningResponder:
        identifier = key.certificate.key_identifier
        ready = self._ready.get(identifier)
        if ready is None:
            ready = self._ready[identifier] = self._prepare(authority, key)
        if ready.certificate.not_after <= self._clock.s():
            raise Unavailable(
                f"the responder certificate for {key.label} has ended",
                rule="responder.ended",
                remedy="`chancery va request`, have it issued, `chancery va install`",
            )
        return ready

    def at_hand(self, key: CaKey) -> SigningResponder | None:
        ready = self._ready.get(key.certificate.key_identifier)
        if ready is None or ready.certificate.not_after <= self._clock.s():
            return None
        return ready

    def _prepare(self, authority: Authority, key: CaKey) -> SigningResponder:
        found = self._found.get(key.certificate.key_identifier)
        if found is None or not found.signed_by(key.certificate):
            raise NotFound(f"no responder for {key.label} here", field="authority")
        key_id = key_id_of(key.certificate)
        if self._vault.key(key_id).spki != found.spki:
            raise NotFound(
                f"the responder certificate for {key.label} is for another key than ours",
                field="certificate",
                rule="responder.key",
            )
        return signing_responder(key_id, found, authority)


def _responder(der: bytes) -> CaCertificate:
    decoded = ca_certificate.decode(der)
    if OCSP_SIGNING not in (ca_certificate.purposes(der) or frozenset()):
        raise BadRequest(
            f"{decoded.subject.text} is not for OCSP signing",
            field="certificate",
            rule="responder.purpose",
        )
    return decoded
