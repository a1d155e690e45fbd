"""Certificates: found among any number."""

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from chancery.domain.certificate import CertificateRecord, CertificateStatus
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.domain.saved_filter import ListName
from chancery.ports import CertificateFilter, Sorting
from chancery.web import paging
from chancery.web.console.content import called
from chancery.web.console.requests import options
from chancery.web.console.saved_filters import shelf
from chancery.web.fields import Fields
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

pages = Pages(
    "/console/certificates",
    section="certificates",
    nav=Nav("Certificates", "certificate", 30, (Permission.CERTIFICATE_READ,)),
)

PATH: Final = "/console/certificates"
SOON_S: Final = 30 * 86_400
_DAY_S: Final = 86_400
_LAST: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
WINDOWS: Final = (
    ("7", "within 7 days"),
    ("30", "within 30 days"),
    ("90", "within 90 days"),
    ("later", "not yet ended"),
    ("ended", "ended already"),
)
"""When a certificate ends, as people ask for it."""
_TEXTS: Final = {
    "serial": "Serial number",
    "subject": "Subject",
    "name": "Name",
    "sha256": "Fingerprint",
    "key_sha256": "Key",
    "request_id": "Request",
}
"""Conditions that only an address can hold; they show as chips."""
_FIELDS: Final = ("authority", "profile", "requester")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query understood.  *meaning* says what the word in the box was taken for."""

    where: CertificateFilter
    meaning: str


@dataclass(frozen=True, slots=True)
class Chip:
    """A condition beside those of the form, and the address without it."""

    label: str
    text: str
    moment: int | None  # Unix seconds, instead of *text*
    without: str


@pages.get("", Permission.CERTIFICATE_READ)
def found(visit: Visit) -> Response:
    asked = understood(visit, visit.query)
    rows = visit.services.certificates.find(visit.principal, asked.where, paging.asked(visit.query))
    page = paging.paged(PATH, visit.query, rows, key=lambda row: row.id)
    return visit.render(
        "console/certificates/list.html",
        block="results",
        page=page,
        meaning=asked.meaning,
        standing=standing,
        called=called,
        windows=WINDOWS,
        chips=_chips(visit.query),
        kept={name: visit.query.text(name) for name in _chip_names(visit.query)},
        options=options(visit),
        shelf=shelf(visit, ListName.CERTIFICATES),
        filtered=any(value for name, value in visit.query.pairs()),
        many=_address("/revoke-many", visit.query),
        by_expiry=_by_expiry(asked.where),
    )


def understood(visit: Visit, query: Fields) -> Asked:
    """What the fields of a search ask for."""
    texts: dict[str, Any] = {n: query.text(n) or None for n in (*_FIELDS, *_TEXTS)}
    where = CertificateFilter(
        **texts,
        status=_status(query.text("status")),
        expires_after=query.number("expires_after", most=_LAST),
        expires_before=query.number("expires_before", most=_LAST),
        order=_order(query.text("order")),
    )
    where = _within(where, query.text("ends"), visit.now)
    if not (word := query.text("search")):
        return Asked(where, "")
    meaning = visit.services.certificates.meant(visit.principal, word, where)
    return Asked(meaning.where, meaning.what)


def standing(record: CertificateRecord, now: int) -> str:
    """The word for where a certificate stands, time included."""
    if record.status is CertificateStatus.HELD:
        return "on-hold"
    if record.status is not CertificateStatus.VALID:
        return record.status.value
    if record.not_after < now:
        return "expired"
    return "expiring" if record.not_after < now + SOON_S else "valid"


def _status(text: str) -> CertificateStatus | None:
    if not text:
        return None
    if text in {CertificateStatus.VALID, CertificateStatus.HELD, CertificateStatus.REVOKED}:
        return CertificateStatus(text)
    raise BadRequest(
        f"no state {text[:40]!r}",
        field="status",
        rule="certificate.status",
        remedy="one of: valid, held, revoked",
    )


def _order(text: str) -> Sorting | None:
    if text in set(Sorting):
        return Sorting(text)
    if not text:
        return None
    raise BadRequest(
        f"no order {text[:40]!r}", field="order", rule="order", remedy="newest or expiry"
    )


def _within(where: CertificateFilter, window: str, now: int) -> CertificateFilter:
    now = now // 60 * 60  # an address means the same for a minute, so its pages fit together
    if window == "ended":
        return replace(where, expires_before=now)
    if window == "later":
        return replace(where, expires_after=now)
    if window in {"7", "30", "90"}:
        until = now + int(window) * _DAY_S
        return replace(where, expires_after=now, expires_before=until)
    if window:
        raise BadRequest(
            f"no window {window[:40]!r}",
            field="ends",
            rule="expiry.window",
            remedy="one of: " + ", ".join(value for value, _ in WINDOWS),
        )
    return where


def _by_expiry(where: CertificateFilter) -> bool:
    asked = (where.expires_after, where.expires_before) != (None, None)
    return where.order is Sorting.EXPIRY or (where.order is None and asked)


def _chip_names(query: Fields) -> list[str]:
    names = (*_TEXTS, "expires_after", "expires_before")
    return [name for name in names if query.text(name)]


def _chips(query: Fields) -> list[Chip]:
    found = []
    for name in _chip_names(query):
        without = [(n, v) for n, v in query.pairs() if v and n not in (name, "cursor", "trail")]
        address = PATH + ("?" + urlencode(without) if without else "")
        if name in _TEXTS:
            found.append(Chip(_TEXTS[name], query.text(name), None, address))
        else:
            label = "Ends after" if name == "expires_after" else "Ends before"
            found.append(Chip(label, "", query.number(name, most=_LAST), address))
    return found


def _address(path: str, query: Fields) -> str:
    pairs = [(n, v) for n, v in query.pairs() if v and n not in ("cursor", "trail", "order")]
    return PATH + path + ("?" + urlencode(pairs) if pairs else "")
