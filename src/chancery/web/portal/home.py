"""Asking for certificates: choose a profile, make the request, have it checked, send it."""

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from chancery.domain.errors import CAError
from chancery.domain.identity import Permission
from chancery.domain.request import CertificateRequest, Submission
from chancery.domain.subject import attribute_name
from chancery.services.portal.check import Checked, Severity
from chancery.services.portal.offers import Offer
from chancery.services.portal.recipes import Recipe, recipe
from chancery.services.portal.wishes import key_choices, name_of, wish
from chancery.web.fields import Fields
from chancery.web.pages import NOBODY, Nav, Pages
from chancery.web.portal.intake import brought
from chancery.web.portal.strangers import chosen, offer_of, remember, stranger
from chancery.web.visit import Visit
from chancery.wire import pem

pages = Pages("", section="portal-home", nav=Nav("Request", "certificate", 10, NOBODY))

_BODY: Final = 12 * 1024 * 1024
"""Octets of an upload: fifty requests of the largest kind, in base64."""
_SUBJECT: Final = "subject."


@dataclass(frozen=True, slots=True)
class Item:
    """One request that was looked at.  *pem* is what will be sent, "" where nothing can be."""

    name: str
    checked: Checked
    pem: str

    @property
    def verdict(self) -> str:
        if not self.checked.fit:
            return "error"
        severities = {finding.severity for finding in self.checked.findings}
        return "warning" if Severity.WARNING in severities else "ok"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request that was sent: exactly one of the two is there."""

    request: CertificateRequest | None
    error: CAError | None


@pages.get("/", Permission.PUBLIC)
def home(visit: Visit) -> Response:
    """The choice of profile, the box for requests, and the line that makes one."""
    fields: Fields = visit.form if visit.method == "POST" else visit.query
    offer = offer_of(visit, fields)
    ready, fault = _recipe(offer, visit.query) if offer else (None, None)
    return visit.render(
        "portal/home.html",
        block="recipe",
        offers=visit.services.portal.offers.all(stranger(visit)),
        offer=offer,
        keys=key_choices(offer.profile) if offer else (),
        recipe=ready,
        fault=fault,
        attribute_name=attribute_name,
        policy=visit.services.portal.policy,
    )


def _recipe(offer: Offer, query: Fields) -> tuple[Recipe, CAError | None]:
    """The commands for what was typed beside them; where that does not fit, for the example."""
    names = query.text("names").replace(",", " ").split()
    subject = [("O", query.text("organisation"))] if query.text("organisation") else []
    key = query.text("key") or None
    try:
        wanted = wish(offer.profile, offer.dn_profile, key=key, names=names, subject=subject)
        return recipe(wanted), None
    except CAError as error:
        return recipe(wish(offer.profile, offer.dn_profile)), error


@pages.post("/check", Permission.PUBLIC, form=home, max_body=_BODY)
def check(visit: Visit) -> Response:
    """Look at everything that was brought; nothing is kept."""
    offer = chosen(visit)
    subject = _subject(visit, offer)
    policy = visit.services.portal.policy
    items = []
    for one in brought(visit.form, policy.files):
        submission = Submission(offer.profile.name, ra=offer.ra.name, csr=one.data, subject=subject)
        checked = visit.services.portal.checks.check(stranger(visit), submission)
        text = pem.encode("CERTIFICATE REQUEST", checked.der) if checked.der else ""
        items.append(Item(one.name, checked, text))
    return visit.render(
        "portal/check.html",
        offer=offer,
        items=items,
        fit=[item for item in items if item.checked.fit],
        subject=subject,
        policy=policy,
    )


@pages.post("/submit", Permission.PUBLIC, form=home, max_body=_BODY)
def submit(visit: Visit) -> Response:
    """Send what was checked; everything that comes together has one code."""
    offer = chosen(visit)
    subject = _subject(visit, offer)
    policy = visit.services.portal.policy
    submissions = [
        Submission(
            offer.profile.name,
            ra=offer.ra.name,
            csr=one.data,
            subject=subject,
            note=visit.form.text("note"),
        )
        for one in brought(visit.form, policy.files)
    ]
    return _send(visit, submissions)


@pages.get("/server-key", Permission.PUBLIC)
def server_key(visit: Visit) -> Response:
    """For people who cannot make a key: the form of a request whose key is made here."""
    fields: Fields = visit.form if visit.method == "POST" else visit.query
    offer = offer_of(visit, fields)
    return visit.render(
        "portal/server_key.html",
        offer=offer,
        keys=key_choices(offer.profile) if offer else (),
        attributes=_attributes(offer) if offer else (),
        policy=visit.services.portal.policy,
    )


@pages.post("/server-key", Permission.PUBLIC)
def send_server_key(visit: Visit) -> Response:
    offer = chosen(visit)
    names = visit.form.text("names").replace(",", " ").split()
    submission = Submission(
        offer.profile.name,
        ra=offer.ra.name,
        server_key=visit.form.required("server_key", "the kind of key"),
        subject=tuple(
            (name, value)
            for name, _ in _attributes(offer)
            if (value := visit.form.text(_SUBJECT + name))
        ),
        names=tuple(name_of(name) for name in names),
        note=visit.form.text("note"),
    )
    return _send(visit, [submission])


def _send(visit: Visit, submissions: list[Submission]) -> Response:
    code, results = visit.services.registration.submit_together(
        stranger(visit),
        submissions,
        stamp=visit.form.text("stamp") or None,
        receipt=visit.receipt,
    )
    outcomes = [
        Outcome(None, one) if isinstance(one, CAError) else Outcome(one.request, None)
        for one in results
    ]
    taken = [one for one in outcomes if one.request is not None]
    if not taken:
        error = outcomes[0].error
        assert error is not None
        raise error
    remember(visit, code)
    return visit.render(
        "portal/submitted.html", status=201, code=code, outcomes=outcomes, taken=taken
    )


def _subject(visit: Visit, offer: Offer) -> tuple[tuple[str, str], ...]:
    """What the profile asks of the requester beside the CSR."""
    return tuple(
        (name, value)
        for name in dict.fromkeys(attribute_name(rule.oid) for rule in offer.asked)
        if (value := visit.form.text(_SUBJECT + name))
    )


def _attributes(offer: Offer) -> list[tuple[str, bool]]:
    """The attributes that a requester may give, each once, and whether it is required."""
    found: dict[str, bool] = {}
    for rule in offer.dn_profile.attributes:
        if rule.source.value != "fixed":
            name = attribute_name(rule.oid)
            found[name] = found.get(name, False) or rule.required
    return list(found.items())
