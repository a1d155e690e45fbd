"""An extension profile as a form: fields named as the service names them."""

from typing import Any, Final

from chancery.domain.names import NameKind
from chancery.domain.profile import EKU_NAMES, ExtensionProfile, KeyUsage, Override, SanRule
from chancery.services.profile_diff import said
from chancery.web.console.drafts import (
    Pairs,
    Row,
    flagged,
    lasting,
    lines,
    rows,
    seconds,
    several,
)
from chancery.web.fields import Form
from chancery.wire import documents

FRESH: Final[dict[str, Row]] = {
    "profile.san": [
        ("kind", "dns"),
        ("from_csr", "on"),
        ("from_requester", "on"),
        ("max_count", "100"),
    ],
    "profile.policies": [("oid", "")],
    "profile.custom": [("oid", "")],
}
"""What a new row holds."""

_DURATIONS: Final = ("validity_s", "max_validity_s", "backdate_s", "renewal_window_s")
_POINTERS: Final = ("cdp", "aia_ocsp", "aia_issuers", "freshest_crl")
_FLAGS: Final = (
    "key_usage_critical",
    "extended_key_usage_critical",
    "cn_into_san",
    "subject_key_identifier",
    "authority_key_identifier",
    "ocsp_no_check",
    "require_proof_of_possession",
)
_KNOWN: Final = frozenset(EKU_NAMES.values())


def pairs_of(profile: ExtensionProfile) -> Pairs:
    """What a form holds that says *profile*."""
    constraints, template = profile.basic_constraints, profile.ms_template
    names = profile.name_constraints
    scalars = {
        "name": profile.name,
        "description": profile.description,
        "dn_profile": profile.dn_profile,
        "after_issuer": profile.after_issuer.value,
        "approvals": str(profile.approvals),
        "constraints": "none" if constraints is None else ("ca" if constraints.ca else "leaf"),
        "path_length": _text(constraints.path_length if constraints else None),
        "permitted": "\n".join(names.permitted) if names else "",
        "excluded": "\n".join(names.excluded) if names else "",
        "template_oid": template.oid if template else "",
        "template_major": _text(template.major if template else None),
        "template_minor": _text(template.minor if template else None),
        "other_ekus": " ".join(oid for oid in profile.extended_key_usage if oid not in _KNOWN),
    }
    scalars |= {field: lasting(getattr(profile, field)) for field in _DURATIONS}
    scalars |= {field: "\n".join(getattr(profile, field)) for field in _POINTERS}
    several_of: dict[str, tuple[str, ...]] = {
        "key_algorithms": profile.key_algorithms,
        "key_usage": tuple(usage.value for usage in profile.key_usage),
        "extended_key_usage": tuple(oid for oid in profile.extended_key_usage if oid in _KNOWN),
        "overrides": tuple(override.value for override in profile.overrides),
    }
    pairs = [(f"profile.{field}", value) for field, value in scalars.items()]
    pairs += [(f"profile.{f}", value) for f, values in several_of.items() for value in values]
    for field in _FLAGS:
        pairs += flagged(f"profile.{field}", on=getattr(profile, field))
    return pairs + _rows_of(profile)


def _rows_of(profile: ExtensionProfile) -> Pairs:
    pairs: Pairs = []
    for index, rule in enumerate(profile.san):
        pairs += _san_pairs(f"profile.san[{index}]", rule)
    for index, policy in enumerate(profile.policies):
        at = f"profile.policies[{index}]"
        pairs += [
            (f"{at}.oid", policy.oid),
            (f"{at}.cps_uri", policy.cps_uri or ""),
            (f"{at}.notice", policy.notice or ""),
        ]
    for index, custom in enumerate(profile.custom):
        at = f"profile.custom[{index}]"
        pairs += [(f"{at}.oid", custom.oid), (f"{at}.der_hex", custom.der_hex or "")]
        pairs += flagged(f"{at}.critical", on=custom.critical)
        pairs += flagged(f"{at}.required", on=custom.required)
    return pairs


def _san_pairs(at: str, rule: SanRule) -> Pairs:
    pairs = [
        (f"{at}.kind", rule.kind.value),
        (f"{at}.max_count", str(rule.max_count)),
        (f"{at}.suffixes", " ".join(rule.suffixes)),
        (f"{at}.networks", " ".join(rule.networks)),
        (f"{at}.regex", rule.regex or ""),
    ]
    for field in ("from_csr", "from_requester", "required", "wildcards"):
        pairs += flagged(f"{at}.{field}", on=getattr(rule, field))
    return pairs


def profile_of(form: Form) -> ExtensionProfile:
    """The profile that *form* says; BadRequest beside the field that says nothing."""
    document: dict[str, Any] = {
        field: form.text(f"profile.{field}")
        for field in ("name", "description", "dn_profile", "after_issuer")
    }
    document |= {field: seconds(form, f"profile.{field}") for field in _DURATIONS}
    document |= {field: lines(form, f"profile.{field}") for field in _POINTERS}
    document |= {field: form.flag(f"profile.{field}") for field in _FLAGS}
    document |= {
        "approvals": form.number("profile.approvals", 0, most=20),
        "key_algorithms": form.all("profile.key_algorithms"),
        "key_usage": _in_order(form.all("profile.key_usage"), tuple(KeyUsage)),
        "extended_key_usage": [
            *form.all("profile.extended_key_usage"),
            *several(form, "profile.other_ekus"),
        ],
        "overrides": _in_order(form.all("profile.overrides"), tuple(Override)),
        "basic_constraints": _constraints(form),
        "name_constraints": _name_constraints(form),
        "ms_template": _template(form),
        "san": [_san(form, at) for at in _places(form, "profile.san")],
        "policies": [_policy(form, at) for at in _places(form, "profile.policies")],
        "custom": [_custom(form, at) for at in _places(form, "profile.custom")],
    }
    return documents.decode(ExtensionProfile, document, "profile")


def _places(form: Form, name: str) -> list[str]:
    return [f"{name}[{index}]" for index in range(rows(form, name))]


def _constraints(form: Form) -> dict[str, Any] | None:
    kind = form.text("profile.constraints", "leaf")
    if kind == "none":
        return None
    return {
        "ca": kind == "ca",
        "path_length": form.number("profile.path_length", most=255) if kind == "ca" else None,
    }


def _name_constraints(form: Form) -> dict[str, Any] | None:
    found = {field: lines(form, f"profile.{field}") for field in ("permitted", "excluded")}
    return found if any(found.values()) else None


def _template(form: Form) -> dict[str, Any] | None:
    oid = form.text("profile.template_oid")
    if not oid:
        return None
    most = 2**32 - 1
    return {
        "oid": oid,
        "major": form.number("profile.template_major", 0, most=most),
        "minor": form.number("profile.template_minor", most=most),
    }


def _san(form: Form, at: str) -> dict[str, Any]:
    return {
        "kind": form.text(f"{at}.kind"),
        "max_count": form.number(f"{at}.max_count", 100, most=100_000),
        "suffixes": several(form, f"{at}.suffixes"),
        "networks": several(form, f"{at}.networks"),
        "regex": form.text(f"{at}.regex") or None,
    } | {
        field: form.flag(f"{at}.{field}")
        for field in ("from_csr", "from_requester", "required", "wildcards")
    }


def _policy(form: Form, at: str) -> dict[str, Any]:
    return {
        "oid": form.text(f"{at}.oid"),
        "cps_uri": form.text(f"{at}.cps_uri") or None,
        "notice": form.text(f"{at}.notice") or None,
    }


def _custom(form: Form, at: str) -> dict[str, Any]:
    return {
        "oid": form.text(f"{at}.oid"),
        "der_hex": "".join(form.text(f"{at}.der_hex").split()) or None,
        "critical": form.flag(f"{at}.critical"),
        "required": form.flag(f"{at}.required"),
    }


def _in_order(values: list[str], order: tuple[str, ...]) -> list[str]:
    """Ticked boxes in the order of the standard; what is none of them stays, to be refused."""
    known = [value for value in order if value in values]
    return [str(value) for value in known] + [v for v in values if v not in order]


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


KINDS: Final = (
    (NameKind.DNS.value, "Host name (dNSName)"),
    (NameKind.IP.value, "IP address"),
    (NameKind.EMAIL.value, "Mailbox (rfc822Name)"),
    (NameKind.URI.value, "URI"),
    (NameKind.UPN.value, "User principal name (Windows)"),
    (NameKind.DIRECTORY.value, "Directory name"),
    (NameKind.REGISTERED_ID.value, "Registered OID"),
    (NameKind.OTHER.value, "Any other otherName"),
)
KEYS: Final = (
    ("rsa", "RSA, 2048 to 8192 bits", "includes the three below"),
    ("rsa-2048", "RSA 2048", "112 bits of strength: until 2030"),
    ("rsa-3072", "RSA 3072", ""),
    ("rsa-4096", "RSA 4096", ""),
    ("ec-p256", "EC P-256", ""),
    ("ec-p384", "EC P-384", ""),
    ("ec-p521", "EC P-521", ""),
    ("ed25519", "Ed25519", "young: not every client knows it"),
    ("ml-dsa-44", "ML-DSA-44", "post-quantum signatures"),
    ("ml-dsa-65", "ML-DSA-65", ""),
    ("ml-dsa-87", "ML-DSA-87", ""),
)
USAGES: Final = (
    ("digitalSignature", "Digital signature", "TLS, log-on, signatures of a moment"),
    ("contentCommitment", "Content commitment", "signatures one is held to (non-repudiation)"),
    ("keyEncipherment", "Key encipherment", "RSA keys that receive other keys"),
    ("dataEncipherment", "Data encipherment", "rare"),
    ("keyAgreement", "Key agreement", "EC keys that agree on other keys"),
    ("keyCertSign", "Certificate signing", "CAs only"),
    ("cRLSign", "CRL signing", "CAs only"),
    ("encipherOnly", "Encipher only", "with key agreement"),
    ("decipherOnly", "Decipher only", "with key agreement"),
)
PURPOSES: Final = (
    (EKU_NAMES["serverAuth"], "TLS server", "serverAuth"),
    (EKU_NAMES["clientAuth"], "TLS client, log-on", "clientAuth"),
    (EKU_NAMES["emailProtection"], "Mail", "emailProtection"),
    (EKU_NAMES["codeSigning"], "Code signing", "codeSigning"),
    (EKU_NAMES["timeStamping"], "Time stamping", "critical, and alone"),
    (EKU_NAMES["OCSPSigning"], "OCSP responder", "alone"),
    (EKU_NAMES["smartcardLogon"], "Smart card log-on", "Windows"),
    (EKU_NAMES["anyExtendedKeyUsage"], "Any purpose", "refused but for CAs"),
)
CHOICES: Final = (
    (Override.VALIDITY.value, "Validity", "any length up to the longest"),
    (Override.SAN.value, "Names", "names beside those of the CSR"),
    (Override.SUBJECT.value, "Subject", "where the DN profile leaves it open"),
    (Override.CUSTOM_EXTENSIONS.value, "Extensions", "values of open extensions"),
)


def purposes_of(profile: ExtensionProfile) -> str:
    """Its purposes in a few words."""
    if profile.basic_constraints is not None and profile.basic_constraints.ca:
        return "CA"
    return said("extended_key_usage", profile.extended_key_usage)
