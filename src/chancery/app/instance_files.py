"""Where things lie in an instance directory, and how its files are written."""

import os
from dataclasses import dataclass
from pathlib import Path

_SETTINGS = """\
# Settings of this instance.  Relative paths count from this file's directory.
# `chancery config check --config chancery.toml` says what is wrong with it.

[listen]
host = "127.0.0.1"
http_port = {http_port}     # OCSP, CRLs, CA certificates, health
https_port = {https_port}    # everything else; client certificates are optional
http_url = "http://127.0.0.1:{http_port}"    # goes into certificates: CRL and OCSP addresses
https_url = "https://127.0.0.1:{https_port}"

[database]
url_file = "secrets/database-url"

[signer]
vault = "vault"
journal = "journal"
socket = "run/signer.sock"
{unseal}

[tls]
certificate = "tls/server.pem"
key = "tls/server.key"
client_ca = "tls/ca-bundle.pem"

[audit]
directory = "audit"
origin = "{origin}"

[publication]
directory = "public"
"""


_UNSEAL_BY_KEY = 'unseal_key_file = "secrets/unseal.key"'
_UNSEAL_BY_PASSPHRASE = 'passphrase_file = "secrets/passphrase"'  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one instance directory."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "chancery.toml"

    @property
    def facts(self) -> Path:
        return self.root / "quickstart.json"

    @property
    def unseal_key(self) -> Path:
        return self.root / "secrets" / "unseal.key"

    @property
    def passphrase(self) -> Path:
        return self.root / "secrets" / "passphrase"

    @property
    def database_url(self) -> Path:
        return self.root / "secrets" / "database-url"

    def token(self, user: str) -> Path:
        return self.root / "secrets" / "tokens" / f"{user}.token"

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    @property
    def audit_key(self) -> Path:
        return self.root / "audit.vkey"

    @property
    def ca_bundle(self) -> Path:
        return self.root / "tls" / "ca-bundle.pem"

    def make(self) -> None:
        """Make the directories; what others must not read is closed to them."""
        self.root.chmod(0o755)
        for name, mode in {
            "secrets": 0o700,
            "secrets/tokens": 0o700,
            "vault": 0o700,
            "journal": 0o700,
            "data": 0o700,
            "run": 0o700,
            "tls": 0o755,
            "audit": 0o755,
            "public": 0o755,
        }.items():
            (self.root / name).mkdir(mode=mode)
            (self.root / name).chmod(mode)


def write_settings(layout: Layout, http_port: int, https_port: int, *, passphrase: bool) -> None:
    text = _SETTINGS.format(
        http_port=http_port,
        https_port=https_port,
        origin=f"chancery.local/{os.urandom(6).hex()}",
        unseal=_UNSEAL_BY_PASSPHRASE if passphrase else _UNSEAL_BY_KEY,
    )
    write_public(layout.settings, text.encode())


def write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, for the owner alone."""
    _write(path, data, 0o600)


def write_public(path: Path, data: bytes) -> None:
    _write(path, data, 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as out:
        os.fchmod(out.fileno(), mode)
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    temporary.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
