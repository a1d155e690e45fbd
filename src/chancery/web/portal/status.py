"""Coming back with a code: what it opens, one request, its certificate and its key."""

from typing import Final

from starlette.responses import Response

from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.identity import Permission
from chancery.domain.portal import HOLDER_REASONS
from chancery.domain.request import CertificateRequest
from chancery.services.portal.following import Followed
from chancery.web.pages import NOBODY, Nav, Pages
from chancery.web.portal.strangers import canonical, codes, forget, remember, stranger
from chancery.web.visit import Visit
from chancery.wire.describe import describe

pages = Pages("/status", section="portal-status", nav=Nav("Status", "search", 20, NOBODY))
one = Pages("/requests", section="portal-status")

FORMS: Final = ("pem", "der", "chain", "p7")
REASONS: Final[dict[RevocationReason, str]] = {
    RevocationReason.keyCompromise: "The key was stolen or lost",
    RevocationReason.superseded: "It was replaced by another one",
    RevocationReason.cessationOfOperation: "It is no longer used",
    RevocationReason.affiliationChanged: "A name in it is no longer true",
    RevocationReason.unspecified: "Another reason",
}
assert tuple(REASONS) == HOLDER_REASONS


@pages.get("", Permission.PUBLIC)
def status(visit: Visit) -> Response:
    """The box for a code, and what this browser may open already."""
    return visit.render("portal/status.html", opened=_opened(visit))


@pages.post("", Permission.PUBLIC)
def enter(visit: Visit) -> Response:
    """Take a code, and go to what it opens."""
    given = visit.form.required("code", "the code")
    code = canonical(given)
    found = visit.services.portal.following.requests(stranger(visit), code or given[:80])
    remember(visit, code or given)
    return visit.redirect(f"/requests/{found[0].id}" if len(found) == 1 else "/status")


@pages.post("/forget", Permission.PUBLIC)
def forget_codes(visit: Visit) -> Response:
    """Leave no way back in this browser."""
    forget(visit)
    return visit.redirect("/status", "This browser no longer knows your codes.")


@one.get("/{id}", Permission.PUBLIC)
def show(visit: Visit) -> Response:
    """Where one request stands, and what to do next."""
    code, followed = _followed(visit)
    return visit.render(
        "portal/request.html",
        block="standing",
        code=code,
        content=describe(followed.request.tbs),
        followed=followed,
        reasons=[(reason.name, text) for reason, text in REASONS.items()],
        window_s=visit.services.portal.policy.key_window_s,
    )


@one.get("/{id}/download/{form}", Permission.PUBLIC)
def download(visit: Visit) -> Response:
    """The certificate as a file."""
    code, followed = _followed(visit)
    form = visit.path["form"]
    if form not in FORMS:
        raise NotFound("there is no such file", field="form", rule="download.format")
    file = visit.services.delivery.download(stranger(visit), followed.request.id, form, code)
    return visit.download(file.data, file.filename, file.media_type)


@one.post("/{id}/key", Permission.PUBLIC, form=show)
def key(visit: Visit) -> Response:
    """Show the passphrase of the file with the key: made now, kept nowhere."""
    _, followed = _followed(visit)
    return visit.render(
        "portal/key.html",
        followed=followed,
        passphrase=visit.services.portal.following.passphrase(),
        window_s=visit.services.portal.policy.key_window_s,
    )


@one.post("/{id}/key/file", Permission.PUBLIC, form=show)
def key_file(visit: Visit) -> Response:
    """Certificate and key in a PKCS#12 file behind that passphrase."""
    code, followed = _followed(visit)
    file = visit.services.delivery.download(
        stranger(visit), followed.request.id, "p12", code, visit.form.raw("passphrase")
    )
    return visit.download(file.data, file.filename, file.media_type)


@one.post("/{id}/withdraw", Permission.PUBLIC, form=show)
def withdraw(visit: Visit) -> Response:
    code, followed = _followed(visit)
    visit.services.changes.withdraw(stranger(visit), followed.request.id, code)
    return visit.redirect(f"/requests/{followed.request.id}", "The request is withdrawn.")


@one.post("/{id}/revocation", Permission.PUBLIC, form=show)
def ask_revocation(visit: Visit) -> Response:
    """Ask the officers to revoke: a code is not proof enough to do it at once."""
    code, followed = _followed(visit)
    visit.services.portal.wishes.ask(
        stranger(visit),
        followed.request.id,
        code,
        reason_of(visit.form.required("reason")),
        visit.form.text("note"),
    )
    return visit.redirect(
        f"/requests/{followed.request.id}", "Your wish is with the people who decide."
    )


def reason_of(name: str) -> RevocationReason:
    try:
        return RevocationReason[name]
    except KeyError:
        raise BadRequest("choose one of the reasons", field="reason", rule="reason.known") from None


def _followed(visit: Visit) -> tuple[str, Followed]:
    return visit.services.portal.following.open(stranger(visit), visit.path["id"], codes(visit))


def _opened(visit: Visit) -> list[tuple[str, list[CertificateRequest]]]:
    """What each remembered code opens; one that opens nothing any more is passed over."""
    found = []
    for code in codes(visit):
        try:
            found.append((code, visit.services.portal.following.requests(stranger(visit), code)))
        except NotFound:
            continue
    return found
