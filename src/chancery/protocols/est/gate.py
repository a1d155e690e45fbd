"""Who is at the door: by HTTP Basic or Digest, by client certificate, or by both."""

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import unquote

from cryptography import x509

from chancery.domain.certificate import CertificateRecord
from chancery.domain.enrolment import Credential, CredentialKind
from chancery.domain.errors import BadRequest, NotAuthenticated
from chancery.ports import Clock
from chancery.ports_sign_in import Sealer
from chancery.protocols.est import digest
from chancery.protocols.est.call import Call
from chancery.protocols.est.settings import Authentication
from chancery.services.enrolment import CredentialService, EnrolmentDesk

_CMC_RA: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")  # RFC 6402 §2.10
_CONTEXT: Final = "EST digest nonce"
_NOBODY: Final = b"nobody's password"


@dataclass(frozen=True, slots=True)
class Client:
    """*credential* was proven, *holder* is the certificate shown; at least one is there.

    A *registrar* may enrol for others.
    """

    credential: Credential | None
    holder: CertificateRecord | None
    registrar: bool = False

    @property
    def who(self) -> str:
        if self.credential is not None:
            return self.credential.reference
        assert self.holder is not None
        return self.holder.subject

    @property
    def identity(self) -> str:
        """What tells this client from others, for the number of its transactions."""
        return self.credential.id if self.credential is not None else self.holder_id

    @property
    def holder_id(self) -> str:
        return self.holder.id if self.holder is not None else ""


class Gate:
    """Lets in whoever proves who he is, as the door's settings demand it."""

    def __init__(
        self, desk: EnrolmentDesk, credentials: CredentialService, sealer: Sealer, clock: Clock
    ) -> None:
        self._desk = desk
        self._credentials = credentials
        self._clock = clock
        self._nonces = digest.Nonces(lambda data: sealer.digest(data, _CONTEXT))

    def admit(self, call: Call, certificate: bytes | None, *, renewing: bool) -> Client:
        """Raises NotAuthenticated, TooOften; BadRequest for a field that cannot be read.

        *certificate* is DER, its holder's key proven.  Whoever renews shows one
        in any case (RFC 7030 §4.2.2).
        """
        way = call.settings.authentication
        credential = self._password(call)
        holder = self._holder(call, certificate, needless=credential is not None and not renewing)
        if credential is None and way in (Authentication.PASSWORD, Authentication.BOTH):
            _refuse("this door asks for a user name and password")
        if holder is None and (
            renewing or way in (Authentication.CERTIFICATE, Authentication.BOTH)
        ):
            _refuse("this asks for a client certificate that was issued here")
        if credential is None and holder is None:
            _refuse("show a client certificate, or a user name and password")
        registrar = call.settings.trust_ra and holder is not None and _is_registrar(holder.der)
        client = Client(credential, holder, registrar)
        call.who = client.who
        return client

    def challenges(self, call: Call, *, stale: bool) -> tuple[tuple[str, str], ...]:
        """The WWW-Authenticate fields of a 401, best first (RFC 7616 §3.7)."""
        settings, realm = call.settings, _realm(call)
        if not settings.passwords:
            return ()
        offered: list[str] = []
        if settings.digest:
            nonce = self._nonces.make(self._clock.s())
            algorithms = ["SHA-256", "MD5"] if settings.digest_md5 else ["SHA-256"]
            offered += [digest.challenge(realm, nonce, name, stale=stale) for name in algorithms]
        offered.append(f'Basic realm="{realm}", charset="UTF-8"')
        return tuple(("WWW-Authenticate", text) for text in offered)

    def _holder(
        self, call: Call, certificate: bytes | None, *, needless: bool
    ) -> CertificateRecord | None:
        """Who holds the certificate; one that is *needless* may be no good."""
        way = call.settings.authentication
        if certificate is None or (needless and way is not Authentication.BOTH):
            return None
        holder = self._desk.holder(call.door, certificate)
        call.who = call.who or holder.subject
        return holder

    def _password(self, call: Call) -> Credential | None:
        field = call.exchange.headers.get("authorization")
        if field is None or not call.settings.passwords:
            return None
        scheme, _, rest = field.strip().partition(" ")
        if scheme.lower() == "basic":
            return self._basic(call, rest.strip())
        if scheme.lower() == "digest" and call.settings.digest:
            return self._digest(call, rest.strip())
        return None

    def _basic(self, call: Call, encoded: str) -> Credential:
        try:
            text = b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            text = ""
        user, colon, password = text.partition(":")
        if not colon:
            raise BadRequest(
                "the Authorization field cannot be read",
                field="authorization",
                rule="est.authorization",
                remedy="send the base64 of user:password, in UTF-8",
            )
        call.who = user[:120]
        found = self._credentials.verify_password(call.door, user, password, call.exchange.origin)
        return _user(found)

    def _digest(self, call: Call, text: str) -> Credential:
        # Octets of a header field arrive as Latin-1; in a name they are UTF-8 (RFC 7616 §4).
        text = text.encode("latin-1", "replace").decode("utf-8", "replace")
        presented, exchange = digest.read(text), call.exchange
        call.who = presented.username[:120]
        if presented.algorithm == "MD5" and not call.settings.digest_md5:
            _refuse("MD5 is not accepted here")
        path = unquote(presented.uri.partition("?")[0])
        if path != exchange.path or presented.realm != _realm(call):
            _refuse("the Digest answer is for another address or realm")
        if not self._nonces.fresh(presented.nonce, self._clock.s()):
            _refuse("the nonce is too old", "est.stale-nonce")
        try:
            found = self._credentials.by_reference(call.door, presented.username, exchange.origin)
        except NotAuthenticated:
            digest.proves(presented, _NOBODY, exchange.method)  # at the same cost
            raise
        secret = _NOBODY if found.sealed is None else self._credentials.secret_of(found)
        if not digest.proves(presented, secret, exchange.method) or found.sealed is None:
            self._credentials.failed(call.door, found, exchange.origin)
            _refuse("the credential is unknown, spent, expired or locked, or its secret is wrong")
        self._credentials.proven(exchange.origin)
        return _user(found)


def _user(found: Credential) -> Credential:
    if found.kind is not CredentialKind.USER:
        _refuse("the credential is for another protocol")
    return found


def _realm(call: Call) -> str:
    return f"EST {call.door.label}"


def _is_registrar(certificate: bytes) -> bool:
    try:
        found = x509.load_der_x509_certificate(certificate)
        purposes = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return _CMC_RA in purposes


def _refuse(why: str, rule: str = "est.authentication") -> NoReturn:
    raise NotAuthenticated(why, field="authorization", rule=rule)
