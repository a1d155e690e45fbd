"""A DN profile as a form: a row for each attribute, in the order of the subject."""

from typing import Any, Final

from chancery.domain.dn_profile import AttributeRule, DnProfile, Uniqueness, ValueSource
from chancery.domain.names import ATTRIBUTES, SHORT_NAMES, Syntax
from chancery.web.console.drafts import Pairs, Row, flagged, rows
from chancery.web.fields import Form
from chancery.wire import documents

LIST: Final = "dn_profile.attributes"
OTHER: Final = "other"
_DEFAULT_LENGTH: Final = 64
_CN: Final = ATTRIBUTES["CN"][0]
FRESH: Final[dict[str, Row]] = {
    LIST: [("oid", _CN), ("source", ValueSource.CSR.value), ("editable", "on")],
}
WORDS: Final = {
    "CN": "Common name", "SN": "Surname", "serialNumber": "Serial number", "C": "Country",
    "L": "Locality", "ST": "State or province", "street": "Street", "O": "Organisation",
    "OU": "Organisational unit", "title": "Title", "businessCategory": "Business category",
    "postalCode": "Postal code", "GN": "Given name", "initials": "Initials",
    "dnQualifier": "DN qualifier", "pseudonym": "Pseudonym",
    "organizationIdentifier": "Organisation identifier", "UID": "User id",
    "DC": "Domain component", "emailAddress": "Mailbox (old clients)",
}  # fmt: skip
KINDS: Final = (
    *((oid, f"{name}: {WORDS[name]}") for name, (oid, _, _) in ATTRIBUTES.items()),
    (OTHER, "Another: give its OID"),
)
SOURCES: Final = (
    (ValueSource.CSR.value, "The CSR's subject"),
    (ValueSource.REQUESTER.value, "The request, beside the CSR"),
    (ValueSource.FIXED.value, "Fixed: always the value below"),
    (ValueSource.DEFAULT.value, "The value below, unless the request gives another"),
)
SYNTAXES: Final = (("", "Usual for the attribute"), *((s.value, s.value) for s in Syntax))
UNIQUENESS: Final = (
    (Uniqueness.NONE.value, "Any number of certificates may carry one subject"),
    (Uniqueness.SUBJECT.value, "One valid certificate for each subject"),
    (Uniqueness.SUBJECT_AND_KEY.value, "The same subject only with the same key"),
)


def pairs_of(profile: DnProfile) -> Pairs:
    """What a form holds that says *profile*."""
    pairs = [
        ("dn_profile.name", profile.name),
        ("dn_profile.description", profile.description),
        ("dn_profile.uniqueness", profile.uniqueness.value),
    ]
    for index, rule in enumerate(profile.attributes):
        pairs += _row(f"{LIST}[{index}]", rule)
    return pairs


def _row(at: str, rule: AttributeRule) -> Pairs:
    known = rule.oid in SHORT_NAMES
    syntax, longest = _usual(rule.oid)
    scalars = {
        "oid": rule.oid if known else OTHER,
        "other": "" if known else rule.oid,
        "source": rule.source.value,
        "value": rule.value or "",
        "syntax": "" if rule.syntax is syntax else rule.syntax.value,
        "min_length": "" if rule.min_length == 1 else str(rule.min_length),
        "max_length": "" if rule.max_length == longest else str(rule.max_length),
        "regex": rule.regex or "",
        "rdn": "" if rule.rdn is None else str(rule.rdn),
    }
    pairs = [(f"{at}.{leaf}", value) for leaf, value in scalars.items()]
    for leaf in ("required", "editable"):
        pairs += flagged(f"{at}.{leaf}", on=getattr(rule, leaf))
    return pairs


def profile_of(form: Form) -> DnProfile:
    """The DN profile that *form* says; BadRequest beside the field that says nothing."""
    places = [f"{LIST}[{index}]" for index in range(rows(form, LIST))]
    document = {
        "name": form.text("dn_profile.name"),
        "description": form.text("dn_profile.description"),
        "uniqueness": form.text("dn_profile.uniqueness", Uniqueness.NONE.value),
        "attributes": [_rule(form, at) for at in places],
    }
    return documents.decode(DnProfile, document, "dn_profile")


def _rule(form: Form, at: str) -> dict[str, Any]:
    oid = form.text(f"{at}.oid", OTHER)
    if oid == OTHER:
        oid = form.text(f"{at}.other")
    syntax, longest = _usual(oid)
    most = 32_768
    return {
        "oid": oid,
        "source": form.text(f"{at}.source"),
        "value": form.text(f"{at}.value") or None,
        "syntax": form.text(f"{at}.syntax") or syntax.value,
        "min_length": form.number(f"{at}.min_length", 1, most=most),
        "max_length": form.number(f"{at}.max_length", longest, most=most),
        "regex": form.text(f"{at}.regex") or None,
        "rdn": form.number(f"{at}.rdn", most=1000),
        "required": form.flag(f"{at}.required"),
        "editable": form.flag(f"{at}.editable"),
    }


def _usual(oid: str) -> tuple[Syntax, int]:
    """Syntax and longest value of an attribute, where nothing else is said."""
    known = SHORT_NAMES.get(oid)
    if known is None:
        return Syntax.UTF8, _DEFAULT_LENGTH
    return ATTRIBUTES[known][1], ATTRIBUTES[known][2]


def short(oid: str) -> str:
    """The name people use, or the OID."""
    return SHORT_NAMES.get(oid, oid)
