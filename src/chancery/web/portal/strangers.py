"""What the portal's pages have in common: they act for a stranger, whoever is signed in."""

import re
from typing import Final

from chancery.domain.identity import Principal, anonymous, confined
from chancery.services.portal.offers import Offer
from chancery.web import cookies
from chancery.web.fields import Fields
from chancery.web.visit import Visit

_KEPT: Final = 20
"""Codes that one browser remembers, the latest ones."""
_CODE: Final = re.compile(r"[A-Z2-7]{16}")


def stranger(visit: Visit) -> Principal:
    """The portal is for people without an account; those with one have the console."""
    return confined(anonymous(visit.origin), visit.principal.ra)


def codes(visit: Visit) -> list[str]:
    """The codes that this browser remembers until it is closed, latest first."""
    found = visit.cookie(cookies.CODES).split(".")
    return [grouped(code) for code in found if _CODE.fullmatch(code)]


def remember(visit: Visit, code: str) -> None:
    """Let this browser open what *code* opens, without the code in any address."""
    plain = code.replace("-", "")
    kept = [plain, *(one.replace("-", "") for one in codes(visit) if one.replace("-", "") != plain)]
    _keep(visit, ".".join(kept[:_KEPT]))


def forget(visit: Visit) -> None:
    _keep(visit, "")


def _keep(visit: Visit, value: str) -> None:
    visit.jar[cookies.CODES] = value
    lasts_s = None if value else 0
    visit.set_cookies.append(cookies.header(cookies.CODES, value, lasts_s=lasts_s))


def canonical(code: str) -> str | None:
    """A code as it was given out, however it is written; None for what is none."""
    plain = "".join(code.upper().split()).replace("-", "")
    plain = plain.translate(str.maketrans("018", "OIB"))
    return grouped(plain) if _CODE.fullmatch(plain) else None


def grouped(plain: str) -> str:
    return "-".join(plain[at : at + 4] for at in range(0, 16, 4))


def offer_of(visit: Visit, fields: Fields) -> Offer | None:
    """The offer that a form or an address names, else the first there is."""
    offers = visit.services.portal.offers.all(stranger(visit))
    wanted = fields.text("profile")
    return next((one for one in offers if one.key == wanted), offers[0] if offers else None)


def chosen(visit: Visit) -> Offer:
    """The offer that a form names; NotFound where nothing is open by that name."""
    ra, _, profile = visit.form.required("profile").partition("/")
    return visit.services.portal.offers.find(stranger(visit), profile, ra)
