"""Revoking with the certificate's own key."""

from typing import Final

from starlette.responses import Response

from chancery.domain.identity import Permission
from chancery.domain.portal import RevocationChallenge
from chancery.services.portal.signing import command
from chancery.web.pages import NOBODY, Nav, Pages
from chancery.web.portal.status import REASONS, reason_of
from chancery.web.portal.strangers import codes, stranger
from chancery.web.visit import Visit
from chancery.wire import statement

pages = Pages("/revoke", section="portal-revoke", nav=Nav("Revoke", "certificate-off", 30, NOBODY))

_FAMILIES: Final = (
    ("rsa", "RSA or P-256 key"),
    ("ec-p384", "P-384 key"),
    ("ec-p521", "P-521 key"),
    ("ed25519", "Ed25519 or ML-DSA key"),
)


@pages.get("", Permission.PUBLIC)
def revoke(visit: Visit) -> Response:
    """Which certificate, and why."""
    return visit.render(
        "portal/revoke.html",
        reasons=[(reason.name, text) for reason, text in REASONS.items()],
        known=bool(codes(visit)),
    )


@pages.post("", Permission.PUBLIC)
def challenge(visit: Visit) -> Response:
    """Give out the line to sign."""
    reason = reason_of(visit.form.required("reason"))
    upload = visit.form.file("certificate_file")
    pasted = visit.form.text("certificate").encode() or None
    certificate = upload.data if upload is not None else pasted
    made = visit.services.portal.revocation.challenge(
        stranger(visit),
        reason,
        certificate=certificate,
        serial=None if certificate else visit.form.required("serial", "the certificate"),
    )
    return _sign(visit, made.text, made)


@pages.get("/sign", Permission.PUBLIC)
def sign(visit: Visit) -> Response:
    """Drawn again after a signature that did not fit; by itself it leads to the beginning."""
    line = visit.form.text("line")
    return _sign(visit, line) if line else visit.redirect("/revoke")


@pages.post("/sign", Permission.PUBLIC)
def prove(visit: Visit) -> Response:
    """Revoke, if the signature is by the certificate's key."""
    upload = visit.form.file("signature_file")
    data = upload.data if upload is not None else visit.form.text("signature").encode()
    record = visit.services.portal.revocation.prove(
        stranger(visit), visit.form.required("line"), statement.decode_signature(data)
    )
    return visit.render("portal/revoked.html", record=record)


def _sign(visit: Visit, line: str, made: RevocationChallenge | None = None) -> Response:
    return visit.render(
        "portal/sign.html",
        line=line,
        expires_at=made.expires_at if made is not None else None,
        commands=[(text, command(line, family)) for family, text in _FAMILIES],
    )
