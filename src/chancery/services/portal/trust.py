"""What the world needs in order to trust, and to check: CA certificates, CRLs, bundles of roots."""

import hashlib
import plistlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.algorithms import key_family
from chancery.domain.authority import Authority
from chancery.domain.errors import BadRequest, NotFound
from chancery.ports import Clock, Session, Store
from chancery.services.downloads import Download, render
from chancery.services.issuers import ca_keys, decode
from chancery.wire import pem, pkcs7
from chancery.wire.algorithms import load_key

BUNDLES: Final = ("pem", "p7", "mobileconfig")
_FRESH_MS: Final = 5_000
_NAMESPACE: Final = uuid.UUID("6f3c1f0a-6d0c-5d6e-9d5e-0d3f1c6e2b11")
"""For profile identifiers that stay the same as long as the certificates do (RFC 9562 §5.5)."""


@dataclass(frozen=True, slots=True)
class PublicKeyOfCa:
    """One key of a CA, as the world meets it.  Times are Unix seconds, hashes hex SHA-256.

    *label* names it in URLs.  *crl*: (number, this update, next update, hash),
    None where there is none.
    """

    label: str
    subject: str
    serial: str
    algorithm: str
    not_before: int
    not_after: int
    sha256: str
    der: bytes
    certificate_url: str
    crl_url: str
    crl: tuple[int, int, int, str] | None
    root: bool


@dataclass(frozen=True, slots=True)
class PublicAuthority:
    """A CA with its keys, the present one first."""

    name: str
    parent: str | None
    depth: int
    keys: tuple[PublicKeyOfCa, ...]


class TrustService:
    """Open to everybody, as the files at the AIA and CDP addresses are."""

    def __init__(self, store: Store, clock: Clock, *, http: str) -> None:
        self._store = store
        self._clock = clock
        self._http = http
        self._seen: tuple[int, list[PublicAuthority]] = (0, [])

    def authorities(self) -> list[PublicAuthority]:
        """Every CA that has a certificate: parents before children, then by name.

        A few seconds old at the most: a CRL may be large, and anybody may ask.
        """
        now = self._clock.ms()
        taken_ms, found = self._seen
        if now - taken_ms > _FRESH_MS:
            found = self._read()
            self._seen = (now, found)
        return found

    def _read(self) -> list[PublicAuthority]:
        with self._store.read() as session:
            every = {one.name: one for one in session.authorities.all() if one.certificate}
            return [
                PublicAuthority(one.name, one.parent, depth, self._keys(session, one))
                for one, depth in _in_order(every)
            ]

    def certificate(self, name: str, form: str) -> Download:
        """A CA's present certificate as ``pem``, ``der``, ``p7`` or ``chain``."""
        with self._store.read() as session:
            authority = session.authorities.get(name)
        if authority is None or authority.certificate is None:
            raise NotFound(
                f"no authority {name[:80]!r}",
                field="authority",
                rule="authority.known",
                remedy="the list of authorities names those there are",
            )
        return render(authority.certificate, authority.chain, form, name)

    def bundle(self, form: str) -> Download:
        """The roots in one file: ``pem``, ``p7``, or ``mobileconfig`` for Apple's systems."""
        now = self._clock.s()
        roots = [
            key.der
            for ca in self.authorities()
            for key in ca.keys
            if key.root and key.not_after > now
        ]
        if not roots:
            raise NotFound("there is no root here", field="authority", rule="authority.known")
        match form:
            case "pem":
                text = "".join(pem.encode("CERTIFICATE", der) for der in roots)
                return Download(text.encode(), "application/x-pem-file", "chancery-roots.pem")
            case "p7":
                data = pkcs7.certs_only(roots)
                return Download(data, "application/pkcs7-mime", "chancery-roots.p7b")
            case "mobileconfig":
                return Download(
                    _mobileconfig(roots),
                    "application/x-apple-aspen-config",
                    "chancery-roots.mobileconfig",
                )
        raise BadRequest(
            f"no format {form[:40]!r}",
            field="format",
            rule="export.format",
            remedy="one of: " + ", ".join(BUNDLES),
        )

    def _keys(self, session: Session, authority: Authority) -> tuple[PublicKeyOfCa, ...]:
        keys = ca_keys(session.authorities.certificates(authority.name))
        latest = session.crls.latest(authority.name)
        current = decode(authority.certificate or b"").spki
        found = []
        for key in keys:
            certificate = key.certificate
            mine = latest is not None and certificate.spki == current
            found.append(
                PublicKeyOfCa(
                    label=key.label,
                    subject=certificate.subject.text,
                    serial=certificate.serial,
                    algorithm=key_family(load_key(certificate.spki)),
                    not_before=certificate.not_before,
                    not_after=certificate.not_after,
                    sha256=certificate.sha256,
                    der=certificate.der,
                    certificate_url=f"{self._http}/ca/{key.label}.cer",
                    crl_url=f"{self._http}/crl/{key.label}.crl",
                    crl=(
                        latest.number,
                        latest.this_update,
                        latest.next_update,
                        hashlib.sha256(latest.der).hexdigest(),
                    )
                    if mine and latest is not None
                    else None,
                    root=certificate.self_issued,
                )
            )
        return tuple(reversed(found))


def _in_order(every: dict[str, Authority]) -> list[tuple[Authority, int]]:
    """Parents first.  A parent that is not on record, or a circle, makes nobody disappear."""
    found: list[tuple[Authority, int]] = []
    seen: set[str] = set()

    def walk(names: Sequence[str], depth: int) -> None:
        for name in sorted(names):
            if name not in seen:
                seen.add(name)
                found.append((every[name], depth))
                walk([c.name for c in every.values() if c.parent == name], depth + 1)

    walk([one.name for one in every.values() if one.parent not in every], 0)
    walk(list(every), 0)
    return found


def _mobileconfig(roots: Sequence[bytes]) -> bytes:
    """An Apple configuration profile whose payloads are root certificates."""
    payloads = []
    for der in roots:
        digest = hashlib.sha256(der).hexdigest()
        payloads.append(
            {
                "PayloadType": "com.apple.security.root",
                "PayloadVersion": 1,
                "PayloadIdentifier": f"chancery.root.{digest[:16]}",
                "PayloadUUID": str(uuid.uuid5(_NAMESPACE, digest)).upper(),
                "PayloadDisplayName": decode(der).subject.text,
                "PayloadContent": der,
            }
        )
    everything = "".join(str(payload["PayloadUUID"]) for payload in payloads)
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": "chancery.roots",
            "PayloadUUID": str(uuid.uuid5(_NAMESPACE, everything)).upper(),
            "PayloadDisplayName": "Root certificates",
            "PayloadContent": payloads,
        }
    )
