"""SCEP over HTTP (RFC 8894 §4): bytes in, reply out, on any path below ``/scep/{label}``."""

import binascii
import logging
from base64 import b64decode
from typing import Final
from urllib.parse import unquote_to_bytes

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import BadRequest, CAError, NotFound, Unavailable
from chancery.ports import Entropy, KeyVault
from chancery.ports_enrolment import DeviceManager
from chancery.protocols.exchange import Exchange, Reply
from chancery.protocols.scep.errors import fail_info
from chancery.protocols.scep.opening import Opened, open_message
from chancery.protocols.scep.requests import Outcome, Requests
from chancery.protocols.scep.settings import ScepSettings, read
from chancery.services.enrolment import CredentialService, EnrolmentDesk
from chancery.services.enrolment.keys import DoorKey, DoorKeys
from chancery.wire import cms, cms_writing, scep
from chancery.wire import cms_algorithms as alg

CAPABILITIES: Final = b"AES\nPOSTPKIOperation\nRenewal\nSHA-256\nSHA-384\nSHA-512\nSCEPStandard"
"""SHA-384 is no keyword of RFC 8894: strongSwan 5.9.8 enrols nowhere without it."""

_MESSAGE: Final = "application/x-pki-message"
_ONE: Final = "application/x-x509-ca-cert"
_SEVERAL: Final = "application/x-x509-ca-ra-cert"
_NEXT: Final = "application/x-x509-next-ca-cert"
_UNKNOWN: Final = "unknown"  # where a message does not say which transaction it is of
_ALGORITHMS: Final = {
    alg.Digest.SHA256: SignatureAlgorithm.RSA_PKCS1_SHA256,
    alg.Digest.SHA384: SignatureAlgorithm.RSA_PKCS1_SHA384,
    alg.Digest.SHA512: SignatureAlgorithm.RSA_PKCS1_SHA512,
}
_NAMES: Final = {
    scep.Kind.RENEWAL_REQ: "RenewalReq",
    scep.Kind.PKCS_REQ: "PKCSReq",
    scep.Kind.CERT_POLL: "CertPoll",
    scep.Kind.GET_CERT: "GetCert",
    scep.Kind.GET_CRL: "GetCRL",
}

_log = logging.getLogger(__name__)


class ScepHandler:
    """protocols.exchange.DoorHandler."""

    max_body: Final = scep.MAX_OCTETS

    def __init__(
        self,
        desk: EnrolmentDesk,
        credentials: CredentialService,
        keys: DoorKeys,
        vault: KeyVault,
        manager: DeviceManager,
        entropy: Entropy,
    ) -> None:
        self._desk = desk
        self._keys = keys
        self._vault = vault
        self._entropy = entropy
        self._requests = Requests(desk, credentials, manager)

    def handle(self, exchange: Exchange) -> Reply:
        try:
            door = self._desk.door(DoorProtocol.SCEP, exchange.tail.partition("/")[0])
            return self._handle(door, exchange)
        except Unavailable as error:
            return _text(503, str(error), ("retry-after", "30"))
        except NotFound as error:
            return _text(404, str(error))
        except CAError as error:
            return _text(400, str(error))

    def _handle(self, door: Door, exchange: Exchange) -> Reply:
        query = _query(exchange.query)
        operation = query.get("operation", b"").lower()
        if exchange.method == "POST" and operation in (b"", b"pkioperation"):
            return self._message(door, exchange.body, exchange.origin)
        if exchange.method not in ("GET", "HEAD"):
            return _text(405, "GET and POST are understood", ("allow", "GET, POST"))
        if operation == b"pkioperation":
            return self._message(door, _base64(query.get("message", b"")), exchange.origin)
        return self._told(door, operation)

    def _told(self, door: Door, operation: bytes) -> Reply:
        match operation:
            case b"getcacaps":
                return _text(200, CAPABILITIES.decode())
            case b"getcacert":
                return self._certificates(door)
            case b"getnextcacert":
                return self._next(door)
        return _text(400, "operation is GetCACaps, GetCACert, GetNextCACert or PKIOperation")

    def _certificates(self, door: Door) -> Reply:
        issuers = self._desk.issuers(door)
        if read(door).single_certificate:
            return _reply(_ONE, issuers[0])
        key = self._keys.of(door)
        return _reply(_SEVERAL, cms_writing.degenerate([key.certificate, *issuers]))

    def _next(self, door: Door) -> Reply:
        """The certificate of a CA's next key, once it is there; signed by the door's key."""
        coming = self._desk.next_issuer(door)
        if coming is None:
            return _text(404, "no other certificate is planned")
        key = self._keys.of(door)
        inner = cms_writing.degenerate([coming])
        signed = cms_writing.signed(
            inner,
            [],
            cms.read_certificate(key.certificate),
            alg.Digest.SHA256,
            lambda data: self._sign(key, alg.Digest.SHA256, data),
            certificates=[key.certificate],
        )
        return _reply(_NEXT, signed)

    def _message(self, door: Door, data: bytes, origin: str) -> Reply:
        if len(data) > scep.MAX_OCTETS:
            self._desk.seen(door, "PKIOperation", "scep.size", origin=origin)
            return _text(413, f"a message has at most {scep.MAX_OCTETS} octets")
        try:
            signed = cms.read_signed(data)
        except BadRequest as error:
            # There is nothing to answer to: no transaction, no nonce, no key to encrypt to.
            self._desk.seen(door, "PKIOperation", error.rule or "", origin=origin)
            return _text(400, str(error))
        key = self._keys.of(door)
        attributes = scep.attributes(signed)
        answer = self._answer(door, key, signed, attributes, origin)
        digest = _digest(signed, read(door))
        made = scep.cert_rep(
            answer,
            cms.read_certificate(key.certificate),
            digest,
            lambda data: self._sign(key, digest, data),
            self._entropy(scep.NONCE),
            certificates=[key.certificate],
        )
        return _reply(_MESSAGE, made)

    def _answer(
        self,
        door: Door,
        key: DoorKey,
        signed: cms.Signed,
        attributes: scep.Attributes,
        origin: str,
    ) -> scep.Answer:
        transaction = attributes.transaction or _UNKNOWN
        nonce = attributes.sender_nonce or bytes(scep.NONCE)
        name = _name(attributes.kind)
        try:
            settings = read(door)
            opened = open_message(
                signed,
                attributes.demand(),
                (key.certificate, *key.former),
                lambda transport, secret: self._vault.decrypt(key.key_id, transport, secret),
                legacy=settings.legacy,
            )
            outcome = self._requests.perform(door, settings, opened, origin)
            content = self._sealed(opened, outcome)
        except Unavailable:
            raise
        except CAError as error:
            rule = error.rule or type(error).__name__
            self._desk.seen(door, name, rule, origin=origin, detail=str(error))
            info = fail_info(error)
            return scep.Answer(
                scep.Status.FAILURE, transaction, nonce, fail_info=info, fail_text=str(error)
            )
        status = scep.Status.PENDING if content is None else scep.Status.SUCCESS
        said = "pending" if content is None else "ok"
        self._desk.seen(door, name, said, who=outcome.who, origin=origin)
        return scep.Answer(status, transaction, nonce, content)

    def _sealed(self, opened: Opened, outcome: Outcome) -> bytes | None:
        """For the signer of the message, as the message itself was encrypted."""
        if outcome.content is None:
            return None
        return cms_writing.enveloped(
            outcome.content, opened.signer, opened.transport, opened.cipher, self._entropy
        )

    def _sign(self, key: DoorKey, digest: alg.Digest, data: bytes) -> bytes:
        if digest is alg.Digest.SHA1:
            return self._vault.sign_legacy_message(key.key_id, data)
        return self._vault.sign_message(key.key_id, _ALGORITHMS[digest], data)


def _digest(signed: cms.Signed, settings: ScepSettings) -> alg.Digest:
    """The message's own, if we compute that."""
    found = alg.DIGESTS.get(signed.digest_oid, alg.Digest.SHA256)
    return alg.Digest.SHA256 if found is alg.Digest.SHA1 and not settings.legacy else found


def _name(number: int | None) -> str:
    for kind, name in _NAMES.items():
        if kind == number:
            return name
    return "PKIOperation"


def _query(raw: str) -> dict[str, bytes]:
    """The parameters by name; of one that stands there twice the first.  ``+`` is itself."""
    found: dict[str, bytes] = {}
    for part in raw.split("&", 8)[:8]:
        name, _, value = part.partition("=")
        found.setdefault(name.lower(), unquote_to_bytes(value))
    return found


def _base64(text: bytes) -> bytes:
    """Of a GET: blanks are what became of ``+``, line breaks what some clients leave in."""
    try:
        return b64decode(text.translate(None, b"\r\n").replace(b" ", b"+"), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(
            "message is not base64", field="message", rule="scep.base64", remedy="use POST"
        ) from None


def _reply(media: str, body: bytes) -> Reply:
    return Reply(200, (("content-type", media), ("cache-control", "no-store")), body)


def _text(status: int, text: str, *more: tuple[str, str]) -> Reply:
    return Reply(status, (("content-type", "text/plain; charset=utf-8"), *more), text.encode())
