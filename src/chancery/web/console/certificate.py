"""One certificate: what it says, who issued it, where it stands, and fetching it."""

from cryptography import x509
from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.web.console import content
from chancery.web.pages import Pages
from chancery.web.visit import Visit
from chancery.wire.describe import describe_certificate

pages = Pages("/console/certificates", section="certificates")


@pages.get("/{authority}/{serial}", Permission.CERTIFICATE_READ)
def one(visit: Visit) -> Response:
    record = visit.services.certificates.show(
        visit.principal, visit.path["serial"], visit.path["authority"]
    )
    said = describe_certificate(x509.load_der_x509_certificate(record.der))
    return visit.render(
        "console/certificates/one.html",
        record=record,
        groups=content.of_certificate(said),
    )


@pages.get("/{authority}/{serial}/download", Permission.CERTIFICATE_READ)
def download(visit: Visit) -> Response:
    made = visit.services.certificates.download(
        visit.principal,
        visit.path["serial"],
        visit.query.text("format", "pem"),
        visit.path["authority"],
    )
    return visit.download(made.data, made.filename, made.media_type)
