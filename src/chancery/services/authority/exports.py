"""CA certificates as files that people take away."""

from dataclasses import dataclass

from chancery.domain.authority import Authority
from chancery.domain.errors import BadRequest, WrongState
from chancery.wire import pem, pkcs7

FORMS = ("pem", "der", "p7", "chain")


@dataclass(frozen=True, slots=True)
class Exported:
    """A file to hand out."""

    data: bytes
    media_type: str
    filename: str


def export(authority: Authority, form: str) -> Exported:
    """Write an authority's certificate in one of FORMS."""
    if authority.certificate is None:
        raise WrongState(
            f"{authority.name} has no certificate yet",
            field="authority",
            rule="authority.certificate",
            remedy="upload the certificate that was made from its CSR",
        )
    ders = (authority.certificate, *authority.chain)
    match form:
        case "pem":
            text = pem.encode("CERTIFICATE", ders[0])
            return Exported(text.encode(), "application/x-pem-file", f"{authority.name}.pem")
        case "der":
            return Exported(ders[0], "application/pkix-cert", f"{authority.name}.cer")
        case "p7":
            data = pkcs7.certs_only(ders)
            return Exported(data, "application/pkcs7-mime", f"{authority.name}.p7b")
        case "chain":
            text = "".join(pem.encode("CERTIFICATE", der) for der in ders)
            return Exported(text.encode(), "application/x-pem-file", f"{authority.name}-chain.pem")
    raise BadRequest(
        f"no format {form!r}",
        field="format",
        rule="export.format",
        remedy="one of: " + ", ".join(FORMS),
    )
