"""A ceremony directory: the offline root as plain files, with a signer of its own for each act.

Layout (mode 0700; keep it on encrypted, removable media):

- ``vault/``, ``journal/``: the sealed key and the signer's journal
- ``unseal.key``: opens the vault, unless a passphrase file is given; store it apart
- ``ceremony.json``: what the root is; ``root.cer``, ``root.pem``: its certificate
- ``register.jsonl``: every serial and CRL number; ``issued/SERIAL.pem``
"""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chancery.app.instance_files import write_private
from chancery.app.signer_process import running_signer
from chancery.ceremony.office import DESCRIBED, Ceremony, OfflineCa, check_place, days_of
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import CrlIdp
from chancery.domain.errors import AlreadyExists, BadName
from chancery.services.authority import Extensions
from chancery.services.authority.limits import check_extensions
from chancery.services.authority.specification import signature_for
from chancery.settings import Signer
from chancery.signer.client import SignerClient
from chancery.signer.unseal import UnsealSource
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.unseal.passphrase import Passphrase
from chancery.signer.vault import create
from chancery.wire.names import parse_text


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
    extensions = Extensions(days=days_of(years), path_length=path_length)
    check_extensions(extensions)
    if crl_idp is not CrlIdp.NONE:
        check_place(http)
    if (directory / DESCRIBED).exists():
        raise AlreadyExists(f"{directory} holds a root already", field="directory")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = OfflineCa(parsed.text, signature_for(algorithm, signature), name, http, crl_idp)
    if passphrase_file is None:
        key = directory / "unseal.key"
        write_private(key, secrets.token_bytes(32))
    create(directory / "vault", _unseal(directory, passphrase_file))
    (directory / "journal").mkdir(mode=0o700)
    root.write(directory)
    with open_ceremony(directory, operators=operators, passphrase_file=passphrase_file) as office:
        return office.begin(algorithm, parsed, extensions)


@contextmanager
def open_ceremony(
    directory: Path, *, operators: tuple[str, ...], passphrase_file: Path | None = None
) -> Iterator[Ceremony]:
    """Start the signer on a private socket for as long as the ceremony lasts."""
    root = OfflineCa.read(directory)
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


def _unseal(directory: Path, passphrase_file: Path | None) -> UnsealSource:
    if passphrase_file is not None:
        return Passphrase(passphrase_file)
    return KeyFile(directory / "unseal.key")
