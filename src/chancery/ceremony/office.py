"""The offline root's office: a vault of its own, a signer of its own, a register of its own.

Layout of a ceremony directory (mode 0700; keep it on encrypted, removable media):

- ``vault/``, ``journal/``: the sealed key and the signer's journal
- ``unseal.key``: opens the vault, unless a passphrase file is given; store it apart
- ``ceremony.json``: what the root is; ``root.cer``, ``root.pem``: its certificate
- ``register.jsonl``: every serial and CRL number; ``issued/SERIAL.pem``
"""

import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from chancery.app.instance_files import write_private, write_public
from chancery.app.signer_process import running_signer
from chancery.ceremony.register import Register
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import CRL_URLS, CrlIdp
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import AlreadyExists, BadName, BadRequest, LintFailed, NotFound
from chancery.domain.key_quality import check
from chancery.domain.keys import CaAuthorisation, KeyPurpose
from chancery.domain.names import DistinguishedName
from chancery.domain.profile import ProfileVersion
from chancery.ports import KeyVault
from chancery.services.authority import Extensions, templates
from chancery.services.authority.limits import check_days, check_extensions
from chancery.services.authority.specification import child_path_length, signature_for
from chancery.settings import Signer
from chancery.signer.client import SignerClient
from chancery.signer.unseal import UnsealSource
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.unseal.passphrase import Passphrase
from chancery.signer.vault import create
from chancery.wire import ca_certificate, crl, pem, pkcs10
from chancery.wire.ca_certificate import CaCertificate
from chancery.wire.crl import Scope
from chancery.wire.lint import compile_lint
from chancery.wire.names import encode_name, parse_text
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
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class _Root:
    """``ceremony.json``."""

    subject: str
    signature_algorithm: SignatureAlgorithm
    name: str
    http: str
    crl_idp: CrlIdp = CrlIdp.NONE

    @property
    def crl_url(self) -> str:
        """Where the server publishes its CRL, as its certificates say."""
        (url,) = fill(CRL_URLS, http=self.http, ca=self.name)
        return url


class Ceremony:
    """An open ceremony directory.  *operators* are the people present: they authorise each act."""

    def __init__(
        self, directory: Path, vault: KeyVault, root: _Root, operators: tuple[str, ...]
    ) -> None:
        self._directory = directory
        self._vault = vault
        self._root = root
        self._operators = operators
        self._register = Register(directory / "register.jsonl")

    def certificate(self) -> CaCertificate:
        """The root's own certificate."""
        path = self._directory / "root.cer"
        if not path.exists():
            raise NotFound(f"{self._directory} holds no root", field="directory")
        return ca_certificate.decode(path.read_bytes())

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
        self._vault.bind(_KEY_ID, der)
        return der

    def sign_subordinate(self, csr: bytes, *, path_length: int | None, years: int) -> bytes:
        """Certify the CA that made *csr* (PEM or DER); returns DER.

        The certificate points to the root's CRL and certificate under the
        base URL given at ``init_root``, or nowhere if none was.  *path_length*
        None is 0: it certifies no further CA.
        """
        root = self.certificate()
        request = pkcs10.decode(csr)
        pkcs10.check_signature(request)
        check(request.public_key)
        ca_certificate.check_asks_for_ca(request.extensions)
        if not request.subject.rdns or request.subject == root.subject:
            raise BadName(
                "the CSR must name a CA other than this one",
                field="csr",
                rule="name.subordinate",
                remedy="make the CSR with the subordinate CA's own subject",
            )
        extensions = Extensions(days=_days(years), path_length=path_length or 0)
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
        return self._sign(version, context, request.subject, request.spki, "subordinate")

    def _sign(
        self,
        version: ProfileVersion,
        context: IssuerContext,
        subject: DistinguishedName,
        spki: bytes,
        kind: str,
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
        signature = self._vault.sign_ca_certificate(_KEY_ID, algorithm, tbs, authorisation)
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

    def crl(self, *, lifetime_days: int, idp: CrlIdp | None = None) -> bytes:
        """Sign the next CRL (DER).  *idp* None: as chosen when the root was made."""
        root = self.certificate()
        scope = self._scope(self._root.crl_idp if idp is None else idp)
        number = self._register.next_crl_number()
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
        der = crl.join(tbs, algorithm, self._vault.sign_crl(_KEY_ID, algorithm, tbs))
        digest = hashlib.sha256(der).hexdigest()
        self._register.write("crl-signed", number=number, sha256=digest, at=_now())
        return der

    def _scope(self, idp: CrlIdp) -> Scope | None:
        if idp is CrlIdp.NONE:
            return None
        _check_place(self._root.http)
        return Scope((self._root.crl_url,))


def init_root(
    directory: Path,
    *,
    subject: str,
    algorithm: KeyAlgorithm,
    years: int,
    operators: tuple[str, ...],
    path_length: int | None = None,
    signature: SignatureAlgorithm | None = None,
    name: str = "root",
    http: str = "",
    crl_idp: CrlIdp = CrlIdp.NONE,
    passphrase_file: Path | None = None,
) -> bytes:
    """Make a ceremony directory with a new root; returns its certificate (DER).

    *operators* are the people present; as many must be present at each later
    act.  *name* and *http* are the root's slug and the base URL under which
    the server will publish its CRL and certificate.
    """
    parsed = parse_text(subject)
    if not parsed.rdns:
        raise BadName("a root needs a subject", field="subject", rule="name.empty")
    extensions = Extensions(days=_days(years), path_length=path_length)
    check_extensions(extensions)
    if crl_idp is not CrlIdp.NONE:
        _check_place(http)
    if (directory / "ceremony.json").exists():
        raise AlreadyExists(f"{directory} holds a root already", field="directory")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = _Root(parsed.text, signature_for(algorithm, signature), name, http, crl_idp)
    if passphrase_file is None:
        key = directory / "unseal.key"
        write_private(key, secrets.token_bytes(32))
    create(directory / "vault", _unseal(directory, passphrase_file))
    (directory / "journal").mkdir(mode=0o700)
    described = {
        "subject": root.subject,
        "signature_algorithm": root.signature_algorithm.value,
        "name": root.name,
        "http": root.http,
        "crl_idp": root.crl_idp.value,
    }
    write_public(directory / "ceremony.json", json.dumps(described, indent=1).encode() + b"\n")
    with open_ceremony(directory, operators=operators, passphrase_file=passphrase_file) as office:
        info = office._vault.generate(
            _KEY_ID, algorithm, KeyPurpose.AUTHORITY, ca_approvals=len(set(operators))
        )
        der = office.self_sign(parsed, info.spki, extensions)
    write_public(directory / "root.cer", der)
    write_public(directory / "root.pem", pem.encode("CERTIFICATE", der).encode())
    return der


@contextmanager
def open_ceremony(
    directory: Path, *, operators: tuple[str, ...], passphrase_file: Path | None = None
) -> Iterator[Ceremony]:
    """Start the signer on a private socket for as long as the ceremony lasts."""
    try:
        described = json.loads((directory / "ceremony.json").read_text())
    except FileNotFoundError:
        raise NotFound(
            f"{directory} is no ceremony directory",
            field="directory",
            rule="ceremony.directory",
            remedy="make one: `chancery ceremony init-root`",
        ) from None
    root = _Root(
        described["subject"],
        SignatureAlgorithm(described["signature_algorithm"]),
        described["name"],
        described["http"],
        CrlIdp(described.get("crl_idp", CrlIdp.NONE)),
    )
    with tempfile.TemporaryDirectory(prefix="chancery-ceremony-") as private:
        socket = Path(private) / "signer.sock"
        settings = Signer(
            vault=directory / "vault",
            journal=directory / "journal",
            socket=socket,
            unseal_key_file=None if passphrase_file else directory / "unseal.key",
            passphrase_file=passphrase_file,
        )
        with running_signer(settings):
            client = SignerClient(socket)
            try:
                yield Ceremony(directory, client, root, operators)
            finally:
                client.close()


def _check_place(http: str) -> None:
    """Raise BadRequest where a CRL could not say where it is found."""
    if not http:
        raise BadRequest(
            "this root's certificates say of no CRL where it is",
            field="crl_idp",
            rule="crl.place",
            remedy="such a CRL needs a root that was made with --http",
        )


def _unseal(directory: Path, passphrase_file: Path | None) -> UnsealSource:
    if passphrase_file is not None:
        return Passphrase(passphrase_file)
    return KeyFile(directory / "unseal.key")


def _now() -> int:
    return int(time.time())


def _days(years: int) -> int:
    return int(years * 365.25)
