"""What ``chancery ra enrol`` writes: keys, certification requests, ra.toml."""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from chancery.cli import files

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey


def new_key(path: Path) -> "EllipticCurvePrivateKey":
    """Make a P-256 key in a file for its owner alone; one that waits there already is used."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - help need not wait
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    if path.exists():
        found = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    files.write(path, pem, force=False, secret=True)
    return key


def signing_request(subject: str, names: list[str]) -> "Callable[[EllipticCurvePrivateKey], str]":
    """Return what makes a CSR (PEM) for CN=*subject* with *names* in the SAN, of a key."""

    def made(key: "EllipticCurvePrivateKey") -> str:
        from cryptography import x509  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.x509.oid import NameOID  # noqa: PLC0415

        common_name = [] if _is_address(subject) else [subject]
        builder = x509.CertificateSigningRequestBuilder().subject_name(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one) for one in common_name])
        )
        if names:
            general = [
                x509.IPAddress(ipaddress.ip_address(one)) if _is_address(one) else x509.DNSName(one)
                for one in names
            ]
            builder = builder.add_extension(
                x509.SubjectAlternativeName(general), critical=not common_name
            )
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    return made


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def settings_text(name: str, ra: str, url: str, http_port: int, https_port: int) -> str:
    """The ra.toml of a new host."""
    return f"""\
# A dedicated registration authority: docs/guides/dedicated-ra.md
# Relative paths count from the directory of this file.
name = "{name}"
ra = "{ra}"

[listen]
host = "0.0.0.0"
http_port = {http_port}    # CRLs, CA certificates, OCSP, health
https_port = {https_port}   # portal, console, API

[tls]  # what browsers see
certificate = "tls/server.pem"
key = "tls/server.key"

[centre]
url = "{url}"
ca_bundle = "tls/ca-bundle.pem"
certificate = "tls/client.pem"
key = "tls/client.key"

[queue]  # what comes in while the centre is away
directory = "queue"
"""
