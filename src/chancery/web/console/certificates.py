"""Certificates: found among any number."""

from starlette.responses import Response

from chancery.domain.certificate import CertificateStatus
from chancery.domain.identity import Permission
from chancery.ports import CertificateFilter
from chancery.web import paging
from chancery.web.fields import Fields
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/certificates",
    section="certificates",
    nav=Nav("Certificates", "certificate", 30, (Permission.CERTIFICATE_READ,)),
)


@pages.get("", Permission.CERTIFICATE_READ)
def found(visit: Visit) -> Response:
    rows = visit.services.certificates.find(
        visit.principal, where(visit.query), paging.asked(visit.query)
    )
    return visit.render(
        "console/certificates/list.html",
        block="results",
        page=paging.paged("/console/certificates", visit.query, rows, key=lambda row: row.id),
    )


def where(query: Fields) -> CertificateFilter:
    texts = {
        name: query.text(name) or None
        for name in ("authority", "serial", "subject", "name", "profile", "requester")
    }
    status = query.text("status")
    return CertificateFilter(
        **texts,
        status=CertificateStatus(status) if status else None,
        expires_after=query.number("expires_after"),
        expires_before=query.number("expires_before"),
    )
