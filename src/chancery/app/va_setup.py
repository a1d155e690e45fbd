"""A validation authority's directory: made, its keys, its certificates."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chancery.adapters.clock import SystemClock
from chancery.app.instance_files import write_private, write_public
from chancery.app.signer_process import running_signer, socket_path
from chancery.app.va_renewal import Renewal, Step
from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, key_family
from chancery.domain.errors import AlreadyExists, BadRequest, NotFound, Unavailable
from chancery.domain.keys import KeyPurpose
from chancery.domain.names import ATTRIBUTES, Attribute, DistinguishedName
from chancery.services.status.appointed import key_id_of
from chancery.settings_va import load
from chancery.signer.client import SignerClient
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import create as create_vault
from chancery.wire import ca_certificate, pem, pkcs10
from chancery.wire.algorithms import load_key

_SETTINGS: Final = """\
# Settings of this validation authority.  Relative paths count from this file's directory.

[listen]
host = "{host}"
http_port = {port}

[database]
url_file = "secrets/database-url"    # an account that only reads, or a feed: sqlite:////path

[signer]
vault = "vault"
journal = "journal"
socket = "run/signer.sock"
unseal_key_file = "secrets/unseal.key"

[responders]
directory = "responders"
"""
_MAX: Final = 64 * 1024


def init(directory: Path, *, host: str, port: int, database: str) -> Path:
    """Make the directory; return its va.toml.  AlreadyExists if something is there."""
    if directory.exists() and any(directory.iterdir()):
        raise AlreadyExists(f"{directory} is not empty", field="directory", rule="va.empty")
    for name in ("secrets", "vault", "journal", "run"):
        (directory / name).mkdir(mode=0o700, parents=True)
    (directory / "responders").mkdir(mode=0o755)
    key = directory / "secrets" / "unseal.key"
    write_private(key, os.urandom(32))
    create_vault(directory / "vault", KeyFile(key))
    write_private(directory / "secrets" / "database-url", f"{database}\n".encode())
    config = directory / "va.toml"
    write_public(config, _SETTINGS.format(host=host, port=port).encode())
    return config


def request(config: Path, ca: bytes, algorithm: KeyAlgorithm | None) -> str:
    """A CSR (PEM) by which that CA can appoint us; the key is made if there is none yet."""
    decoded = ca_certificate.decode(ca)
    key_id = key_id_of(decoded)
    wanted = algorithm or KeyAlgorithm.EC_P256
    with _signer(config) as vault:
        try:
            info = vault.generate(key_id, wanted, KeyPurpose.OCSP)
        except AlreadyExists:
            info = vault.key(key_id)
        family = KeyAlgorithm(key_family(load_key(info.spki)))
        signature_algorithm = SIGNATURES_OF[family][0]
        oid, syntax, longest = ATTRIBUTES["CN"]
        name = f"{_common_name(decoded)} validation authority"[-longest:]
        subject = DistinguishedName(((Attribute(oid, name, syntax),),))
        body = pkcs10.encode_info(subject, info.spki)
        signature = vault.sign_csr(key_id, signature_algorithm, body)
    return pem.encode("CERTIFICATE REQUEST", pkcs10.join(body, signature_algorithm, signature))


def install(config: Path, certificate: bytes) -> Path:
    """Put a certificate that a CA issued in place; return its file.  It is seen without a restart.

    BadRequest where it is not for a key of ours.
    """
    host = load(config)
    _, der = pem.decode(certificate, ("CERTIFICATE",), _MAX)
    decoded = ca_certificate.decode(der)
    issuer = (decoded.authority_key_identifier or b"").hex()[:32]
    with _signer(config) as vault:
        if vault.key(f"va-{issuer}").spki != decoded.spki:
            raise BadRequest(
                "the certificate is for another key than ours",
                field="certificate",
                rule="responder.key",
                remedy="have the CSR of `chancery va request` issued",
            )
    path = host.responders.directory / f"{issuer}.pem"
    write_public(path, pem.encode("CERTIFICATE", der).encode())
    return path


def renew(config: Path, *, now: bool) -> list[Step]:
    """Take a step with each certificate that is to be renewed."""
    host = load(config)
    with _signer(config) as vault:
        return Renewal(host, vault, SystemClock()).run(now=now)


@contextmanager
def _signer(config: Path) -> Iterator[SignerClient]:
    """The signer that runs, or one for this while."""
    settings = load(config).signer
    client = SignerClient(socket_path(settings.socket))
    try:
        client.key("audit")  # only to see whether anybody is there
    except NotFound:
        yield client
    except Unavailable:
        with running_signer(settings):
            yield client
    finally:
        client.close()


def _common_name(decoded: ca_certificate.CaCertificate) -> str:
    """The CN of a CA; its whole name where it has none."""
    oid = ATTRIBUTES["CN"][0]
    for rdn in decoded.subject.rdns:
        for attribute in rdn:
            if attribute.oid == oid:
                return attribute.value
    return decoded.subject.text
