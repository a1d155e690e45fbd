"""A CA of ``openssl ca`` with a history: what somebody has who comes to us."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[ca]
default_ca = it
[it]
dir = {directory}
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir/newcerts
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 365
default_crl_days = 30
unique_subject = no
policy = any
copy_extensions = copy
x509_extensions = leaf
[any]
countryName = optional
organizationName = optional
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
[v3_ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[req]
distinguished_name = dn
[dn]
"""


@dataclass
class OpensslCa:
    """Its directory: index.txt, newcerts/SERIAL.pem, ca.pem, ca.key."""

    directory: Path

    @classmethod
    def create(cls, directory: Path, subject: str = "/O=Old/CN=Old CA") -> "OpensslCa":
        (directory / "newcerts").mkdir(parents=True)
        (directory / "index.txt").touch()
        (directory / "serial").write_text("1000\n")
        (directory / "crlnumber").write_text("01\n")
        (directory / "openssl.cnf").write_text(_CONFIG.format(directory=directory))
        made = cls(directory)
        made.run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", subject, "-days", "3650",
            "-extensions", "v3_ca",
        )  # fmt: skip
        made.run("pkcs8", "-topk8", "-nocrypt", "-in", "ca.key", "-out", "ca.p8")
        return made

    def run(self, *words: str) -> str:
        config = ["-config", "openssl.cnf"] if words[0] in {"req", "ca"} else []
        done = subprocess.run(
            ["openssl", words[0], *config, *words[1:]],
            cwd=self.directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def issue(self, name: str, *, organisation: str = "Old", days: int = 365) -> str:
        """Issue for *name* and return the serial in hex."""
        serial = (self.directory / "serial").read_text().strip()
        escaped = organisation.replace("/", "\\/")
        self.run(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8",
            "-keyout", f"{serial}.key", "-out", f"{serial}.csr", "-subj",
            f"/O={escaped}/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
        )  # fmt: skip
        self.run("ca", "-batch", "-utf8", "-notext", "-in", f"{serial}.csr", "-days", str(days))
        return serial.lower()

    def revoke(self, serial: str, *words: str) -> None:
        self.run("ca", "-batch", "-revoke", f"newcerts/{serial.upper()}.pem", *words)

    @property
    def index(self) -> bytes:
        return (self.directory / "index.txt").read_bytes()

    @property
    def certificate(self) -> bytes:
        return (self.directory / "ca.pem").read_bytes()

    @property
    def key(self) -> bytes:
        return (self.directory / "ca.p8").read_bytes()

    def issued(self) -> dict[str, bytes]:
        """newcerts/: name to PEM."""
        return {path.name: path.read_bytes() for path in (self.directory / "newcerts").iterdir()}
