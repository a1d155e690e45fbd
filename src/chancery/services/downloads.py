"""Certificates in the formats people ask for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chancery.domain.errors import BadRequest
from chancery.wire import pem, pkcs7


@dataclass(frozen=True, slots=True)
class Download:
    """A file for the requester; *filename* is safe to save under."""

    data: bytes
    media_type: str
    filename: str


_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


def stem(text: str) -> str:
    """A file name's stem from a hostile string (a subject, say)."""
    return _SAFE.sub("_", text).strip("._")[:64] or "certificate"


def render(der: bytes, chain: Sequence[bytes], form: str, name: str) -> Download:
    """*der* as ``pem``, ``der``, ``p7`` (with its chain) or ``chain`` (PEM, leaf to root)."""
    base = stem(name)
    match form:
        case "pem":
            return Download(
                pem.encode("CERTIFICATE", der).encode(), "application/x-pem-file", f"{base}.pem"
            )
        case "der":
            return Download(der, "application/pkix-cert", f"{base}.cer")
        case "p7":
            data = pkcs7.certs_only([der, *chain])
            return Download(data, "application/pkcs7-mime", f"{base}.p7c")
        case "chain":
            text = "".join(pem.encode("CERTIFICATE", one) for one in [der, *chain])
            return Download(text.encode(), "application/pem-certificate-chain", f"{base}-chain.pem")
    raise BadRequest(
        f"no format {form!r}",
        field="format",
        rule="download.format",
        remedy="one of: pem, der, p7, chain, and p12 for a key made here",
    )
