"""Who sent a message: what protects it says so (RFC 9810 §5.1.3)."""

import hmac
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from cryptography import x509

from chancery.domain.certificate import CertificateStatus
from chancery.domain.door import Door
from chancery.domain.enrolment import CredentialKind
from chancery.domain.errors import BadRequest, NotAuthenticated, NotFound
from chancery.protocols.cmp.settings import CmpSettings
from chancery.protocols.cmp.talk import Caller, Secret
from chancery.services.enrolment import CredentialService, EnrolmentDesk
from chancery.wire import ca_certificate, cmp, cmp_mac, der, possession
from chancery.wire.ca_certificate import CaCertificate
from chancery.wire.cmp import Header, Message
from chancery.wire.names import decode_name

_DECOY: Final = b"the secret of nobody"
_DIRECTORY: Final = 0xA4
_LOOKED_AT: Final = 4  # certificates that may be the signer's


class Guard:
    """See the module."""

    def __init__(self, desk: EnrolmentDesk, credentials: CredentialService) -> None:
        self._desk = desk
        self._credentials = credentials

    def verify(
        self, door: Door, settings: CmpSettings, message: Message, origin: str, now: int
    ) -> Caller:
        """Who protected *message*; raises if nobody did whom we know."""
        method = message.header.protection
        if method is None or message.protection is None:
            raise cmp.bad("the message is not protected", "cmp.unprotected")
        if cmp_mac.is_mac(method):
            return self._by_secret(door, message, method, message.protection, origin)
        return self._by_signature(door, settings, message, method, message.protection, now)

    def _by_secret(
        self, door: Door, message: Message, identifier: bytes, given: bytes, origin: str
    ) -> Caller:
        """At the same cost whether or not the reference is known."""
        method = cmp_mac.decode(identifier)
        reference = (message.header.sender_key or b"").decode("utf-8", "replace")
        refused: NotAuthenticated | None = None
        credential, secret = None, _DECOY
        try:
            credential = self._credentials.by_reference(door, reference, origin)
            if credential.kind is CredentialKind.SECRET:
                secret = self._credentials.secret_of(credential)
        except NotAuthenticated as error:
            refused = error
        key = method.key(secret)
        right = hmac.compare_digest(method.over(key, message.protected), given)
        if credential is None or credential.kind is not CredentialKind.SECRET:
            raise refused or _unknown()
        if not right:
            self._credentials.failed(door, credential, origin)
            raise _unknown("credential.proof")
        self._credentials.proven(origin)
        return Caller(reference, credential, Secret(method, key))

    def _by_signature(
        self,
        door: Door,
        settings: CmpSettings,
        message: Message,
        identifier: bytes,
        signature: bytes,
        now: int,
    ) -> Caller:
        signer = _signer(message, settings.ra_certificates())
        caller = self._holder(door, settings, signer, now)
        parsed = x509.load_der_x509_certificate(signer.der)
        try:
            usage = parsed.extensions.get_extension_for_class(x509.KeyUsage).value
            signs = usage.digital_signature
        except x509.ExtensionNotFound:
            signs = True
        if not signs:
            raise _untrusted("the key of the message's signer is not for signatures")
        _same_sender(message.header, signer)
        try:
            possession.check(parsed.public_key(), identifier, signature, message.protected)
        except BadRequest as error:
            broken = error.rule == "pop.signature"
            raise BadRequest(
                "the signature of the message does not verify"
                if broken
                else "the message is signed by an algorithm that is not accepted",
                field="protection",
                rule="cmp.signature" if broken else "signature.algorithm",
                remedy="sign with RSA or ECDSA and SHA-2, with Ed25519, or with ML-DSA",
            ) from error
        return caller

    def _holder(self, door: Door, settings: CmpSettings, signer: CaCertificate, now: int) -> Caller:
        """A trusted registration authority, or whoever holds a certificate of ours."""
        if signer.der not in settings.ra_certificates():
            record = self._desk.holder(door, signer.der)
            return Caller(record.subject, certificate=signer.der, record=record)
        if not signer.not_before <= now <= signer.not_after:
            raise _untrusted("the certificate of the registration authority is not valid now")
        try:
            ours = self._desk.certificate(door, signer.serial)
        except NotFound:
            ours = None
        same = ours is not None and ours.der == signer.der
        if ours is not None and same and ours.status is not CertificateStatus.VALID:
            raise _untrusted("the certificate of the registration authority is revoked")
        return Caller(signer.subject.text, certificate=signer.der, trusted=True)


def _signer(message: Message, known: Sequence[bytes]) -> CaCertificate:
    """The certificate of whoever signed: the one that senderKID names, else the first.

    Clients leave a self-signed one out: then it may be among those *known*.
    """
    found = list(_readable((*message.certificates[:_LOOKED_AT], *known)))
    if not found:
        raise BadRequest(
            "the message is signed, and holds no certificate that can be read",
            field="extraCerts",
            rule="cmp.no-certificate",
            remedy="put the signer's certificate first into extraCerts",
        )
    wanted = message.header.sender_key
    return next((one for one in found if one.key_identifier == wanted), found[0])


def _readable(certificates: Sequence[bytes]) -> Iterator[CaCertificate]:
    """What else a client sends along may be of kinds that we do not read."""
    for one in certificates:
        with suppress(BadRequest):
            yield ca_certificate.decode(one)


def _same_sender(header: Header, signer: CaCertificate) -> None:
    """Raise unless the message says that it comes from whoever signed it (RFC 9483 §3.2)."""
    tag, content = der.single(header.sender)
    if tag == _DIRECTORY:
        same = content == signer.subject_der or decode_name(content).text == signer.subject.text
        if same:
            return
    raise cmp.bad("the sender is not the subject of the signer's certificate", "cmp.sender")


def _untrusted(what: str) -> NotAuthenticated:
    return NotAuthenticated(
        what,
        field="protection",
        rule="cmp.signer",
        remedy="sign with a certificate of this CA, or have the registration authority named",
    )


def _unknown(rule: str = "credential.valid") -> NotAuthenticated:
    """The same text, whichever it is: only the record tells a wrong secret from a wrong name."""
    return NotAuthenticated(
        "the credential is unknown, spent, expired or locked, or its secret is wrong",
        field="protection",
        rule=rule,
        remedy="have a new one made",
    )
