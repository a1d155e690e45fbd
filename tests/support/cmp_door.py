"""A CMP door of an office, and clients that talk to it without a socket."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import ec

from chancery.app.office import Office
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.enrolment import Binding, CredentialKind
from chancery.domain.identity import SYSTEM
from chancery.protocols.cmp.client import CmpClient, Holder, SharedSecret, request
from chancery.protocols.cmp.signing import PrivateKey, spki
from chancery.protocols.exchange import Exchange, Reply
from chancery.services.enrolment import Issued, NewCredential
from chancery.wire import cmp_mac, crmf
from chancery.wire.cmp_kinds import Body
from chancery.wire.general_names import encode_san, parse
from chancery.wire.names import parse_text

HERE = "192.0.2.9"
FEW = cmp_mac.MIN_ITERATIONS


def post(body: bytes, path: str, **changes: object) -> Exchange:
    """How an HTTP request looks to the handler."""
    given: dict[str, object] = {
        "method": "POST",
        "path": path,
        "tail": "",
        "query": "",
        "headers": {"content-type": "application/pkixcmp"},
        "body": body,
        "origin": HERE,
        "secure": False,
        "certificate": None,
        "tls_unique": None,
        "base": "http://ca.example.org",
    }
    return Exchange(**{**given, **changes})  # type: ignore[arg-type]


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def template(subject: str, names: tuple[str, ...] = (), spki: bytes | None = None) -> crmf.Template:
    san = encode_san(parse(name) for name in names)
    extensions = (("2.5.29.17", False, san),) if names else ()
    return crmf.Template(subject=parse_text(subject), spki=spki, extensions=extensions)


def wish(own: PrivateKey, subject: str, names: tuple[str, ...] = ()) -> bytes:
    """A CertReqMsg that proves possession of *own*."""
    return request(own, template(subject, names, spki(own)))


@dataclass
class CmpDoor:
    """*sent* holds every message, as it went."""

    office: Office
    door: Door
    operation: str = ""
    origin: str = HERE
    sent: list[bytes] = field(default_factory=list)

    @classmethod
    def open(cls, office: Office, *, approvals: int = 0, **settings: object) -> "CmpDoor":
        door = Door(
            DoorProtocol.CMP,
            f"t-{uuid.uuid4().hex[:8]}",
            ra="main",
            profile="tls-server",
            profiles=("device",),
            approvals=approvals,
            settings=settings,
        )
        return cls(office, office.doors.service.put(SYSTEM, door))

    def set(self, **settings: object) -> None:
        self.door = self.office.doors.service.put(
            SYSTEM, replace(self.door, settings={**self.door.settings, **settings})
        )

    @property
    def path(self) -> str:
        return f"/.well-known/cmp/p/{self.door.label}{self.operation}"

    def post(self, body: bytes) -> Reply:
        self.sent.append(body)
        return self.office.doors.handlers.of(DoorProtocol.CMP).handle(
            post(body, self.path, origin=self.origin)
        )

    def send(self, body: bytes) -> bytes:
        return self.post(body).body

    def secret(self, host: str, uses: int | None = 1) -> Issued:
        binding = Binding(subject=f"CN={host}", names=(parse(f"dns:{host}"),))
        wanted = NewCredential(CredentialKind.SECRET, binding, uses=uses)
        return self.office.doors.credentials.issue(SYSTEM, self.door.name, wanted)

    def by_secret(
        self,
        issued: Issued,
        kind: cmp_mac.Kind = cmp_mac.Kind.PBM,
        mac: str = "sha256",
        **more: object,
    ) -> CmpClient:
        who = SharedSecret(
            issued.credential.reference.encode(), issued.secret.encode(), kind, mac, FEW
        )
        return self.client(who, **more)

    def client(
        self,
        who: SharedSecret | Holder,
        wait: Callable[[int], None] = lambda _: None,
        send: Callable[[bytes], bytes] | None = None,
    ) -> CmpClient:
        anchor = self.office.doors.desk.issuers(self.door)[-1]
        return CmpClient(
            send or self.send,
            who,
            self.office.clock,
            secrets.token_bytes,
            anchors=[anchor],
            wait=wait,
        )

    def enrolled(self, host: str) -> Holder:
        """Whoever got a certificate for *host* by a secret."""
        own = key()
        got = self.by_secret(self.secret(host)).enrol(
            Body.IR, wish(own, f"CN={host}", (f"dns:{host}",)), implicit=True
        )
        return Holder(got.certificate, own)
