"""``chancery ceremony``: init-root, sign-subordinate, crl.  Files in, files out, facts to tell."""

import shutil
from pathlib import Path

from chancery.app.instance_files import write_public
from chancery.ceremony.directory import init_root as make_root
from chancery.ceremony.directory import open_ceremony
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import CrlIdp
from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadRequest
from chancery.wire import ca_certificate, pem
from chancery.wire import crl as crl_format


def init_root(
    directory: Path,
    *,
    subject: str,
    algorithm: KeyAlgorithm = KeyAlgorithm.EC_P384,
    signature: SignatureAlgorithm | None = None,
    years: int = 20,
    path_length: int | None = None,
    operator: tuple[str, ...] = ("operator",),
    name: str = "root",
    http: str = "",
    crl_idp: CrlIdp = CrlIdp.NONE,
    passphrase_file: Path | None = None,
) -> dict[str, object]:
    """Make an offline root in DIRECTORY.

    Name every person present with --operator: as many must be named at each later act.
    """
    fresh = not directory.exists()
    try:
        der = make_root(
            directory,
            subject=subject,
            algorithm=algorithm,
            signature=signature,
            years=years,
            path_length=path_length,
            operators=operator,
            name=name,
            http=http,
            crl_idp=crl_idp,
            passphrase_file=passphrase_file,
        )
    except BaseException:
        if fresh:  # half a root would be in the way of the next attempt
            shutil.rmtree(directory, ignore_errors=True)
        raise
    return _told(der, directory / "root.pem")


def sign_subordinate(
    directory: Path,
    *,
    csr: Path,
    out: Path,
    path_length: int | None = None,
    years: int = 10,
    operator: tuple[str, ...] = ("operator",),
    passphrase_file: Path | None = None,
) -> dict[str, object]:
    """Certify the CA that made CSR.  OUT gets its certificate and the root's, as PEM."""
    request = csr.read_bytes()
    with open_ceremony(directory, operators=operator, passphrase_file=passphrase_file) as office:
        der = office.sign_subordinate(request, path_length=path_length, years=years)
        root = office.certificate().der
    write_public(out, "".join(pem.encode("CERTIFICATE", one) for one in (der, root)).encode())
    return _told(der, out)


def crl(
    directory: Path,
    *,
    out: Path,
    revoke: str | None = None,
    reason: str = "unspecified",
    days: int = 180,
    crl_idp: CrlIdp | None = None,
    operator: tuple[str, ...] = ("operator",),
    passphrase_file: Path | None = None,
) -> dict[str, object]:
    """Sign the root's next CRL into OUT (DER), first revoking SERIAL (hex) if one is given."""
    if reason not in RevocationReason.__members__:
        raise BadRequest(
            f"no reason {reason!r}",
            field="reason",
            rule="revocation.reason",
            remedy="one of: " + ", ".join(RevocationReason.__members__),
        )
    with open_ceremony(directory, operators=operator, passphrase_file=passphrase_file) as office:
        if revoke is not None:
            office.revoke(revoke, RevocationReason[reason])
        der = office.crl(lifetime_days=days, idp=crl_idp)
    write_public(out, der)
    decoded = crl_format.decode(der)
    return {
        "number": decoded.number,
        "entries": decoded.entries,
        "next_update": decoded.next_update,
        "file": str(out),
    }


def _told(der: bytes, where: Path) -> dict[str, object]:
    decoded = ca_certificate.decode(der)
    return {
        "subject": decoded.subject.text,
        "serial": decoded.serial,
        "sha256": decoded.sha256,
        "not_after": decoded.not_after,
        "file": str(where),
    }
