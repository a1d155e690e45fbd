"""``serverkeygen``: the key is made here, and goes to its owner once (RFC 7030 §4.4)."""

from dataclasses import dataclass, replace
from typing import Final

from cryptography import x509

from chancery.domain.enrolment import CredentialKind
from chancery.domain.errors import BadRequest, NotAuthenticated, NotPermitted
from chancery.ports import Entropy
from chancery.protocols.est.call import CERTS_ONLY, Answered, Call, waiting
from chancery.protocols.est.enrolling import Enrolling, issued, pairs, read_request, same_identity
from chancery.protocols.est.gate import Gate
from chancery.protocols.est.signing import Signing
from chancery.protocols.exchange import Reply
from chancery.services.enrolment import CredentialService, Enrolment, EnrolmentDesk
from chancery.wire import est, est_keys, est_wishes, pkcs7
from chancery.wire.pkcs10 import CertificationRequest

_BOUNDARY: Final = "est-server-key"
_PLAIN: Final = "application/pkcs8"
_SEALED: Final = "application/pkcs7-mime; smime-type=server-generated-key"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a key is encrypted for: a shared *key* with its *key_id*, or a *certificate* (DER)."""

    certificate: bytes = b""
    key_id: bytes = b""
    key: bytes = b""


class ServerKeys:
    """See the module."""

    def __init__(
        self,
        desk: EnrolmentDesk,
        credentials: CredentialService,
        gate: Gate,
        enrolling: Enrolling,
        signing: Signing,
        entropy: Entropy,
    ) -> None:
        self._desk = desk
        self._credentials = credentials
        self._gate = gate
        self._enrolling = enrolling
        self._signing = signing
        self._entropy = entropy

    def run(self, call: Call) -> Answered:
        """The key and its certificate.  Key and signature of the request mean nothing (§4.4)."""
        if not call.settings.server_keys:
            raise NotPermitted(
                "keys are not made at this door", field="path", rule="est.server-keys"
            )
        client = self._gate.admit(call, call.exchange.certificate, renewing=False)
        csr = read_request(call)
        wishes = est_wishes.read(csr.info)
        # All that can be wrong with the way back, before anything is issued.
        recipient = self._recipient(call, wishes)
        cipher = est_keys.cipher_for(wishes.capabilities)
        asked = self._enrolling.enrolment(call, client, csr, renewing=False)
        standing = self._enrolling.submit(call, _made_here(call, asked, csr))
        if standing.pending:
            return waiting(call.settings.retry_after_s)
        certificate = issued(standing).der
        key = self._desk.release_key(call.door, standing, call.who, call.exchange.origin)
        part = (_PLAIN, key)
        if recipient is not None:
            package = est_keys.package(key)
            signed = self._signing.sign(call.door, est_keys.KEY_PACKAGE, package)
            if recipient.key:
                sealed = est_keys.for_key(
                    signed, recipient.key_id, recipient.key, cipher, self._entropy
                )
            else:
                sealed = est_keys.for_certificate(
                    signed, recipient.certificate, cipher, self._entropy
                )
            part = (_SEALED, sealed)
        parts = [part, (CERTS_ONLY, pkcs7.certs_only([certificate]))]
        headers = (("Content-Type", f"multipart/mixed; boundary={_BOUNDARY}"),)
        return Answered(Reply(200, headers, est.multipart(parts, _BOUNDARY, wrap=call.wrapped)))

    def _recipient(self, call: Call, wishes: est_wishes.Wishes) -> Recipient | None:
        """Whom the request names; None where the key may travel bare, inside TLS."""
        if not wishes.encrypted:
            return None
        if wishes.symmetric is not None:
            return Recipient(key_id=wishes.symmetric, key=self._shared(call, wishes.symmetric))
        certificate = call.exchange.certificate
        named = wishes.asymmetric
        if certificate is None or named not in (None, _key_identifier(certificate)):
            raise _unknown("no certificate with that key identifier came with the connection")
        est_keys.check_recipient(certificate)
        return Recipient(certificate=certificate)

    def _shared(self, call: Call, key_id: bytes) -> bytes:
        origin = call.exchange.origin
        try:
            found = self._credentials.by_reference(
                call.door, key_id.decode("utf-8", "replace"), origin
            )
        except NotAuthenticated:
            raise _unknown("no shared key is known by that identifier") from None
        self._credentials.proven(origin)
        if found.kind is not CredentialKind.SECRET:
            raise _unknown("no shared key is known by that identifier")
        try:
            key = bytes.fromhex(self._credentials.secret_of(found).decode())
        except ValueError:
            key = b""
        if len(key) != est_keys.KEY_OCTETS:
            raise _unknown(f"that key is not {est_keys.KEY_OCTETS} octets in hex")
        return key


def _made_here(call: Call, asked: Enrolment, csr: CertificationRequest) -> Enrolment:
    if asked.renews is not None:
        same_identity(csr, asked.renews)  # the desk sees no request to compare
    return replace(
        asked,
        csr=None,
        server_key=call.settings.server_key,
        subject=asked.subject or pairs(csr.subject),
        names=asked.names or csr.names,
    )


def _key_identifier(certificate: bytes) -> bytes | None:
    try:
        found = x509.load_der_x509_certificate(certificate).extensions
        return found.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, ValueError):
        return None


def _unknown(why: str) -> BadRequest:
    return BadRequest(
        f"the key cannot be encrypted as asked: {why}",
        field="csr",
        rule="est.decrypt-key",
        remedy="connect with that certificate, have the shared key made, or ask for neither",
    )
