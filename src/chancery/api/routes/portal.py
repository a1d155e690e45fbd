"""What the public portal does, for programs: offers, checks, codes, CA certificates."""

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from chancery.api.bodies import RawBody, Using, schema_of
from chancery.api.models import Out
from chancery.api.routes.files import file_of
from chancery.api.routes.requests import RequestOut, request_out
from chancery.api.routing import Door, Who
from chancery.api.submission import SubmitBody, decode
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Permission
from chancery.services.portal.check import Checked
from chancery.services.portal.offers import Offer
from chancery.services.portal.recipes import recipe
from chancery.services.portal.trust import PublicAuthority
from chancery.services.portal.wishes import key_choices, wish

door = Door("/portal", "portal")


class OfferOut(Out):
    """A profile that anybody may ask for."""

    ra: str
    profile: str
    description: str
    authority: str
    approvals: int = Field(description="People who must agree.")
    keys: list[str]
    validity_s: int
    subject: list[str] = Field(description="Attributes to give beside the CSR.")


class RecipeOut(Out):
    """Commands that make a fitting CSR; null where a tool cannot."""

    openssl: str
    existing: str = Field(description="For a key that is there already.")
    certtool: str | None
    certreq: str | None
    notes: list[str]


class FindingOut(Out):
    severity: str
    message: str
    field: str | None
    rule: str | None
    remedy: str | None


class LineOut(Out):
    """What was asked and what becomes of it: kept, changed, dropped or added."""

    what: str
    asked: str | None
    becomes: str | None
    fate: str


class CheckOut(Out):
    """What would become of a request if it were submitted now."""

    fit: bool
    request: dict[str, Any] | None
    certificate: dict[str, Any] | None
    changes: list[LineOut]
    findings: list[FindingOut]
    ra: str | None
    authority: str | None
    approvals: int


class CaKeyOut(Out):
    label: str
    subject: str
    serial: str
    algorithm: str
    not_before: int
    not_after: int
    sha256: str
    certificate_url: str
    crl_url: str
    root: bool


class CaOut(Out):
    name: str
    parent: str | None
    keys: list[CaKeyOut] = Field(description="The present one first.")


class CasOut(Out):
    items: list[CaOut]


class OffersOut(Out):
    items: list[OfferOut]


class OpenedOut(Out):
    items: list[RequestOut]


def _offer(offer: Offer) -> OfferOut:
    return OfferOut(
        ra=offer.ra.name,
        profile=offer.profile.name,
        description=offer.profile.description,
        authority=offer.authority.name,
        approvals=offer.approvals,
        keys=list(key_choices(offer.profile)),
        validity_s=offer.profile.validity_s,
        subject=[rule.oid for rule in offer.asked],
    )


def _checked(checked: Checked) -> CheckOut:
    return CheckOut(
        fit=checked.fit,
        request=checked.request,
        certificate=checked.certificate,
        changes=[LineOut.model_validate(one, from_attributes=True) for one in checked.lines],
        findings=[FindingOut.model_validate(one, from_attributes=True) for one in checked.findings],
        ra=checked.ra,
        authority=checked.authority,
        approvals=checked.approvals,
    )


def _ca(ca: PublicAuthority) -> CaOut:
    keys = [CaKeyOut.model_validate(key, from_attributes=True) for key in ca.keys]
    return CaOut(name=ca.name, parent=ca.parent, keys=keys)


@door.route("GET", "/profiles", Permission.PUBLIC)
def offers(who: Who, using: Using) -> OffersOut:
    """List what anybody may ask for."""
    return OffersOut(items=[_offer(one) for one in using.portal.offers.all(who)])


@door.route("GET", "/profiles/{name}/recipe", Permission.PUBLIC)
def show_recipe(
    who: Who,
    using: Using,
    name: str,
    ra: str | None = None,
    key: str | None = None,
    names: Annotated[list[str] | None, Query(description="dns:www.example.org; repeatable")] = None,
    subject: Annotated[list[str] | None, Query(description="O=Example; repeatable")] = None,
) -> RecipeOut:
    """Write the commands that make a CSR which fits a profile."""
    offer = using.portal.offers.find(who, name, ra)
    wanted = wish(
        offer.profile,
        offer.dn_profile,
        key=key,
        names=names or (),
        subject=[_pair(text) for text in subject or ()],
    )
    return RecipeOut.model_validate(recipe(wanted), from_attributes=True)


@door.route("POST", "/check", Permission.PUBLIC, openapi_extra=schema_of(SubmitBody))
def check(who: Who, using: Using, body: RawBody) -> CheckOut:
    """Look at a submission without making it: decoded, every fault, and what would be signed."""
    return _checked(using.portal.checks.check(who, decode(body)))


@door.route("GET", "/requests", Permission.PUBLIC)
def opened(
    who: Who, using: Using, code: Annotated[str, Query(max_length=64, description="Secret code.")]
) -> OpenedOut:
    """List the requests that a code opens."""
    return OpenedOut(items=[request_out(one) for one in using.portal.following.requests(who, code)])


@door.route("GET", "/authorities", Permission.PUBLIC)
def authorities(using: Using) -> CasOut:
    """List the CAs with the fingerprints of their certificates."""
    return CasOut(items=[_ca(one) for one in using.portal.trust.authorities()])


@door.route("GET", "/bundle", Permission.PUBLIC, response_class=Response)
def bundle(
    using: Using,
    format: Annotated[str, Query(description="pem, p7 or mobileconfig")] = "pem",  # noqa: A002
) -> Response:
    """Fetch the root certificates in one file."""
    return file_of(using.portal.trust.bundle(format))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest(
            f"{text[:80]!r} is not ATTRIBUTE=VALUE", field="subject", rule="subject.syntax"
        )
    return name.strip(), value
