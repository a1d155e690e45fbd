"""Who came through the gateway of one registration authority sees and does what is its own.

Everything else does not exist for them: the errors are those for what is not
there.  A principal that is confined to none (``ra`` is "") is held to nothing.
"""

from dataclasses import replace

from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import NotFound
from chancery.domain.identity import Principal
from chancery.domain.request import CertificateRequest
from chancery.ports import CertificateFilter, RequestFilter, Session


def holds(principal: Principal, ra: str) -> bool:
    """Whether what belongs to registration authority *ra* is within reach."""
    return principal.ra in ("", ra)


def request_within(principal: Principal, request: CertificateRequest | None) -> bool:
    """Whether *request* is there, and within reach."""
    return request is not None and holds(principal, request.ra)


def certificate_within(session: Session, principal: Principal, record: CertificateRecord) -> bool:
    """Whether *record* came of a request of this registration authority."""
    if not principal.ra:
        return True
    return request_within(principal, session.requests.get(record.request_id))


def refuse_beyond(session: Session, principal: Principal, record: CertificateRecord) -> None:
    """Raise NotFound for a certificate that is out of reach."""
    if not certificate_within(session, principal, record):
        raise NotFound(
            f"no certificate with serial {record.serial}",
            field="serial",
            rule="certificate.known",
            remedy="look for it at the central instance: here are those of one registration"
            " authority",
        )


def requests_within(principal: Principal, where: RequestFilter) -> RequestFilter | None:
    """*where*, narrowed; None where nothing can meet it."""
    if not principal.ra:
        return where
    return replace(where, ra=principal.ra) if where.ra in (None, principal.ra) else None


def certificates_within(principal: Principal, where: CertificateFilter) -> CertificateFilter:
    """*where*, narrowed."""
    return replace(where, ra=principal.ra) if principal.ra else where
