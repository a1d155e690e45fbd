"""The office of an offline CA: what it signs, and its register, through any KeyVault."""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.app.instance_files import write_public
from chancery.ceremony.register import Register
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import CRL_URLS, CrlIdp
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadName, BadRequest, LintFailed, NotFound
from chancery.domain.key_quality import check
from chancery.domain.keys import CaAuthorisation, KeyPurpose
from chancery.domain.names import DistinguishedName
from chancery.domain.profile import ProfileVersion
from chancery.domain.vaults import SOFTWARE
from chancery.ports import KeyVault
from chancery.services.authority import Extensions, templates
from chancery.services.authority.limits import check_days, check_extensions
from chancery.services.authority.specification import child_path_length
from chancery.wire import ca_certificate, crl, pem, pkcs10
from chancery.wire.ca_certificate import CaCertificate
from chancery.wire.crl import Scope
from chancery.wire.lint import compile_lint
from chancery.wire.names import encode_name
from chancery.wire.tbs import (
    IssuerContext,
    assemble,
    certificate,
    compile_profile,
    fill,
    key_identifier,
)
from chancery.wire.twin import twin_signature

_KEY_ID = "root"
DESCRIBED = "ceremony.json"
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class OfflineCa:
    """``ceremony.json``."""

    subject: str
    signature_algorithm: SignatureAlgorithm
    name: str
    http: str
    crl_idp: CrlIdp = CrlIdp.NONE

    @classmethod
    def read(cls, directory: Path) -> "OfflineCa":
        """From its directory; NotFound if it is none."""
        try:
            described = json.loads((directory / DESCRIBED).read_text())
        except FileNotFoundError:
            raise NotFound(
                f"{directory} is no ceremony directory",
                field="directory",
                rule="ceremony.directory",
                remedy="make one: `chancery ceremony init-root`",
            ) from None
        return cls(
            described["subject"],
            SignatureAlgorithm(described["signature_algorithm"]),
            described["name"],
            described["http"],
            CrlIdp(described.get("crl_idp", CrlIdp.NONE)),
        )

    def write(self, directory: Path) -> None:
        described = {
            "subject": self.subject,
            "signature_algorithm": self.signature_algorithm.value,
            "name": self.name,
            "http": self.http,
            "crl_idp": self.crl_idp.value,
        }
        write_public(directory / DESCRIBED, json.dumps(described, indent=1).encode() + b"\n")

    @property
    def crl_url(self) -> str:
        """Where the server publishes its CRL, as its certificates say."""
        (url,) = fill(CRL_URLS, http=self.http, ca=self.name)
        return url


class Ceremony:
    """An open ceremony directory.  *operators* are the people present: they authorise each act."""

    def __init__(
        self,
        directory: Path,
        vault: KeyVault,
        root: OfflineCa,
        operators: tuple[str, ...],
        key_id: str = _KEY_ID,
    ) -> None:
        self._directory = directory
        self._vault = vault
        self._root = root
        self._operators = operators
        self._key_id = key_id
        self._register = Register(directory / "register.jsonl")

    def certificate(self) -> CaCertificate:
        """The root's own certificate."""
        path = self._directory / "root.cer"
        if not path.exists():
            raise NotFound(f"{self._directory} holds no root", field="directory")
        return ca_certificate.decode(path.read_bytes())

    def begin(
        self,
        algorithm: KeyAlgorithm,
        subject: DistinguishedName,
        extensions: Extensions,
        *,
        vault: str = SOFTWARE,
    ) -> bytes:
        """Make the root's key and its certificate (DER); as many people are needed ever after."""
        info = self._vault.generate(
            self._key_id,
            algorithm,
            KeyPurpose.AUTHORITY,
            ca_approvals=len(set(self._operators)),
            vault=vault,
        )
        der = self.self_sign(subject, info.spki, extensions)
        self.keep_certificate(der)
        return der

    def keep_certificate(self, der: bytes) -> None:
        """Lay down this CA's own certificate."""
        write_public(self._directory / "root.cer", der)
        write_public(self._directory / "root.pem", pem.encode("CERTIFICATE", der).encode())

    def self_sign(self, subject: DistinguishedName, spki: bytes, extensions: Extensions) -> bytes:
        """Make the root certificate (DER)."""
        version = templates.root(extensions, _now(), self._operators[0])
        context = IssuerContext(
            name=self._root.name,
            subject_der=encode_name(subject),
            key_identifier=key_identifier(spki),
            signature_algorithm=self._root.signature_algorithm,
            not_after=_now() + version.profile.validity_s,
            http=self._root.http,
        )
        der = self._sign(version, context, subject, spki, "root")
        self._vault.bind(self._key_id, der)
        return der

    def sign_subordinate(self, csr: bytes, *, path_length: int | None, years: int) -> bytes:
        """Certify the CA that made *csr* (PEM or DER); returns DER.

        The certificate points to the root's CRL and certificate under the
        base URL given at ``init_root``, or nowhere if none was.  *path_length*
        None is 0: it certifies no further CA.
        """
        request = pkcs10.decode(csr)
        pkcs10.check_signature(request)
        check(request.public_key)
        ca_certificate.check_asks_for_ca(request.extensions)
        return self._certify(
            request.subject, request.spki, path_length=path_length, years=years, kind="subordinate"
        )

    def cross_certify(self, other: bytes, *, path_length: int | None, years: int) -> bytes:
        """Certify the key of another root (its self-signed certificate, DER); returns DER.

        Its own signature proves that whoever made it holds the key.
        """
        found = ca_certificate.decode(other)
        if not found.is_ca or not found.signed_by(found):
            raise BadRequest(
                "only the self-signed certificate of a CA is cross-certified",
                field="certificate",
                rule="cross.self-signed",
                remedy="of a CA below a root, certify its CSR",
            )
        check(load_der_public_key(found.spki))
        return self._certify(
            found.subject,
            found.spki,
            path_length=path_length,
            years=years,
            kind="cross",
            identifier=found.key_identifier,
        )

    def _certify(
        self,
        subject: DistinguishedName,
        spki: bytes,
        *,
        path_length: int | None,
        years: int,
        kind: str,
        identifier: bytes | None = None,
    ) -> bytes:
        root = self.certificate()
        if not subject.rdns or subject == root.subject:
            raise BadName(
                "the CSR must name a CA other than this one",
                field="csr",
                rule="name.subordinate",
                remedy="make the CSR with the subordinate CA's own subject",
            )
        extensions = Extensions(days=days_of(years), path_length=path_length or 0)
        check_extensions(extensions)
        check_days(extensions.days, "the root", root.not_after, _now())
        if not self._root.http:
            extensions = replace(extensions, cdp=(), aia_issuers=())
        version = templates.subordinate(
            extensions,
            child_path_length(root.path_length, extensions.path_length),
            _now(),
            self._operators[0],
            online=False,
        )
        context = IssuerContext(
            name=self._root.name,
            subject_der=root.subject_der,
            key_identifier=root.key_identifier,
            signature_algorithm=self._root.signature_algorithm,
            not_after=root.not_after,
            http=self._root.http,
        )
        return self._sign(version, context, subject, spki, kind, identifier)

    def _sign(
        self,
        version: ProfileVersion,
        context: IssuerContext,
        subject: DistinguishedName,
        spki: bytes,
        kind: str,
        identifier: bytes | None = None,
    ) -> bytes:
        """Lint, put on record, sign, put on record: as everywhere."""
        serial = int.from_bytes(secrets.token_bytes(16)) | 1 << 126
        draft = compile_profile(version, context).build(
            serial=serial,
            subject=subject,
            spki=spki,
            names=(),
            extensions=(),
            lasting_s=version.profile.validity_s,
            identifier=identifier,
        )
        not_before, not_after = draft.validity.starting(_now())
        tbs = assemble(draft, not_before, not_after)
        algorithm = context.signature_algorithm
        if findings := compile_lint(version)(
            certificate(tbs, algorithm, twin_signature(algorithm))
        ):
            raise LintFailed("; ".join(findings), rule="lint", remedy="nothing was signed")
        tbs_sha256 = hashlib.sha256(tbs).hexdigest()
        self._register.write(
            "certificate-intended",
            kind=kind,
            serial=f"{serial:x}",
            subject=subject.text,
            not_after=not_after,
            tbs_sha256=tbs_sha256,
            operators=list(self._operators),
            at=_now(),
        )
        authorisation = CaAuthorisation(tbs_sha256, self._operators, f"ceremony: {kind}")
        signature = self._vault.sign_ca_certificate(self._key_id, algorithm, tbs, authorisation)
        der = certificate(tbs, algorithm, signature)
        digest = hashlib.sha256(der).hexdigest()
        self._register.write("certificate-signed", serial=f"{serial:x}", sha256=digest, at=_now())
        issued = self._directory / "issued"
        issued.mkdir(mode=0o700, exist_ok=True)
        write_public(issued / f"{serial:x}.pem", pem.encode("CERTIFICATE", der).encode())
        return der

    def revoke(self, serial: str, reason: RevocationReason) -> None:
        """Put a revocation on record; the next CRL carries it.  *serial* is hex."""
        self._register.revoke(serial.lower().lstrip("0"), reason, _now())

    def crl(self, *, lifetime_days: int, idp: CrlIdp | None = None, above: int = 0) -> bytes:
        """Sign the next CRL (DER), with a number higher than *above*.

        *idp* None: as chosen when the root was made.
        """
        root = self.certificate()
        scope = self._scope(self._root.crl_idp if idp is None else idp)
        number = self._register.next_crl_number(above)
        now = _now()
        self._register.write("crl-intended", number=number, operators=list(self._operators), at=now)
        # An offline CA has no regular interval, so nothing ever leaves its CRL.
        revoked = self._register.revoked(0)
        algorithm = self._root.signature_algorithm
        tbs = crl.tbs(
            issuer=root.subject_der,
            key_identifier=root.key_identifier,
            algorithm=algorithm,
            number=number,
            this_update=now,
            next_update=now + lifetime_days * _DAY_S,
            entries=[crl.entry(entry) for entry in revoked],
            scope=scope,
        )
        der = crl.join(tbs, algorithm, self._vault.sign_crl(self._key_id, algorithm, tbs))
        digest = hashlib.sha256(der).hexdigest()
        self._register.write("crl-signed", number=number, sha256=digest, at=_now())
        return der

    def _scope(self, idp: CrlIdp) -> Scope | None:
        if idp is CrlIdp.NONE:
            return None
        check_place(self._root.http)
        return Scope((self._root.crl_url,))


def check_place(http: str) -> None:
    """Raise BadRequest where a CRL could not say where it is found."""
    if not http:
        raise BadRequest(
            "this root's certificates say of no CRL where it is",
            field="crl_idp",
            rule="crl.place",
            remedy="such a CRL needs a root that was made with --http",
        )


def _now() -> int:
    return int(time.time())


def days_of(years: int) -> int:
    return int(years * 365.25)
