"""Every dangerous combination is found, and what is sound is left alone."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.names import NameKind, Syntax
from chancery.domain.profile import (
    DAY_S,
    EKU_NAMES,
    BasicConstraints,
    CertificatePolicy,
    CustomExtension,
    ExtensionProfile,
    KeyUsage,
    Override,
    SanRule,
)
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.risk import Issuer, Risk, Severity, Use, assess, assess_ra
from chancery.domain.shipped import DN_PROFILES, PROFILES

BLOCK, WARN, NOTE = Severity.BLOCK, Severity.WARN, Severity.NOTE
SERVER, CLIENT = EKU_NAMES["serverAuth"], EKU_NAMES["clientAuth"]
CODE, OCSP, STAMP = (EKU_NAMES[n] for n in ("codeSigning", "OCSPSigning", "timeStamping"))
SID = "1.3.6.1.4.1.311.25.2"
FIXED = DnProfile("fixed", (AttributeRule("2.5.4.3", Syntax.UTF8, ValueSource.FIXED, "www"),))
ASKED = DnProfile("asked", (AttributeRule("2.5.4.3", Syntax.UTF8, ValueSource.CSR),))
NONE = RegistrationAuthority("desk", ("p",), ("ca",), "officers", 0, anonymous=False)
ONE = replace(NONE, approvals=1)
NARROW = replace(NONE, submit_groups=("staff",))
OPEN = replace(ONE, anonymous=True)
LIMITED = replace(OPEN, daily_per_requester=10)
SOUND = ExtensionProfile(
    "p",
    extended_key_usage=(SERVER,),
    key_algorithms=("ec-p256",),
    san=(SanRule(NameKind.DNS, suffixes=(".example.org",)),),
)
LOGON = replace(SOUND, extended_key_usage=(CLIENT,))
CA = ExtensionProfile(
    "subordinate-ca",
    key_algorithms=("ec-p384",),
    key_usage=(KeyUsage.KEY_CERT_SIGN,),
    basic_constraints=BasicConstraints(ca=True, path_length=0),
    approvals=1,
)


def san(kind: NameKind, **conditions: object) -> ExtensionProfile:
    return replace(LOGON, san=(SanRule(kind, **conditions),))  # type: ignore[arg-type]


def custom(oid: str, der_hex: str | None) -> ExtensionProfile:
    return replace(SOUND, custom=(CustomExtension(oid, der_hex=der_hex),))


def offered(
    profile: ExtensionProfile,
    ra: RegistrationAuthority = NONE,
    dn: DnProfile = FIXED,
    issuer: Issuer | None = None,
) -> Use:
    return Use(profile, dn, ra, (issuer,) if issuer else ())


def alone(profile: ExtensionProfile, dn: DnProfile = FIXED) -> Use:
    return Use(profile, dn)


RED: list[tuple[str, Severity, bool, Use]] = [
    # (finding, severity, acceptable, use)
    ("esc1-requester-names", WARN, False, alone(LOGON)),
    ("esc1-requester-names", WARN, False, alone(replace(LOGON, san=()), ASKED)),
    ("esc1-requester-names", BLOCK, True, offered(LOGON)),
    ("esc1-requester-names", WARN, False, offered(LOGON, NARROW)),
    ("esc2-any-purpose", BLOCK, False, alone(replace(SOUND, extended_key_usage=("2.5.29.37.0",)))),
    ("esc2-no-purpose", BLOCK, True, alone(replace(SOUND, extended_key_usage=()))),
    (
        "esc3-enrolment-agent", BLOCK, True,
        alone(replace(SOUND, extended_key_usage=("1.3.6.1.4.1.311.20.2.1",))),
    ),
    ("esc6-names-beside-csr", WARN, False, alone(replace(LOGON, overrides=(Override.SAN,)))),
    ("esc6-names-beside-csr", NOTE, False, alone(replace(SOUND, overrides=(Override.SAN,)))),
    ("esc9-no-sid", WARN, False, alone(san(NameKind.UPN))),
    (
        "esc9-no-sid", WARN, False,
        alone(replace(SOUND, extended_key_usage=(EKU_NAMES["smartcardLogon"],))),
    ),
    (
        "esc13-policy-oid", WARN, False,
        alone(replace(LOGON, policies=(CertificatePolicy("1.3.6.1.4.1.311.21.8.1.2.3"),))),
    ),
    ("esc14-weak-mapping", NOTE, False, alone(san(NameKind.EMAIL))),
    ("esc15-application-policies", BLOCK, False, alone(custom("1.3.6.1.4.1.311.21.10", None))),
    ("esc15-application-policies", WARN, False, alone(custom("1.3.6.1.4.1.311.21.10", "0500"))),
    ("upn-chosen", WARN, False, alone(san(NameKind.UPN))),
    ("upn-chosen", BLOCK, False, offered(san(NameKind.UPN))),
    ("upn-chosen", BLOCK, True, offered(san(NameKind.UPN, suffixes=("example.org",)))),
    ("upn-chosen", BLOCK, True, offered(san(NameKind.UPN), NARROW)),
    ("other-name-chosen", WARN, False, alone(san(NameKind.OTHER))),
    ("other-name-chosen", BLOCK, True, offered(san(NameKind.OTHER, regex="1.2;.*"))),
    ("sid-chosen", BLOCK, False, alone(custom(SID, None))),
    ("sid-chosen", WARN, False, alone(custom(SID, "0500"))),
    ("sid-chosen", WARN, False, alone(san(NameKind.URI, regex=".*"))),
    ("sid-chosen", BLOCK, False, offered(san(NameKind.URI, regex="tag:.*"))),
    ("wildcard-unbounded", BLOCK, True, alone(san(NameKind.DNS, wildcards=True))),
    (
        "wildcard", WARN, False,
        alone(san(NameKind.DNS, wildcards=True, suffixes=(".example.org",))),
    ),
    ("custom-chosen", WARN, False, alone(custom("1.2.3", None))),
    ("custom-chosen", BLOCK, True, offered(custom("1.2.3", None))),
    ("ca-usage", BLOCK, False, alone(replace(SOUND, key_usage=(KeyUsage.KEY_CERT_SIGN,)))),
    ("ca-flag", BLOCK, True, alone(replace(CA, name="mine"))),
    ("ca-in-ra", BLOCK, False, offered(CA, ONE)),
    ("ca-path-length", WARN, False, alone(replace(CA, basic_constraints=BasicConstraints(True)))),
    ("ca-approvals", WARN, False, alone(replace(CA, approvals=0))),
    ("delegate-unattended", BLOCK, True, offered(replace(SOUND, extended_key_usage=(CODE,)))),
    ("delegate-unattended", BLOCK, True, offered(replace(SOUND, extended_key_usage=(STAMP,)))),
    (
        "delegate-unattended", WARN, False,
        offered(replace(SOUND, extended_key_usage=(CODE,)), NARROW),
    ),
    ("delegate-unattended", BLOCK, False, offered(replace(SOUND, extended_key_usage=(OCSP,)))),
    (
        "delegate-unattended", BLOCK, True,
        offered(replace(SOUND, extended_key_usage=(OCSP,)), NARROW),
    ),
    ("long-validity", WARN, False, alone(replace(SOUND, max_validity_s=400 * DAY_S))),
    ("long-validity", BLOCK, True, alone(replace(SOUND, max_validity_s=3000 * DAY_S))),
    ("long-validity", WARN, False, alone(replace(CA, max_validity_s=11 * 366 * DAY_S))),
    ("no-revocation", WARN, False, alone(replace(SOUND, cdp=(), aia_ocsp=()))),
    ("short-key", WARN, False, alone(replace(CA, key_algorithms=("rsa",)))),
    ("no-possession", WARN, False, alone(replace(SOUND, require_proof_of_possession=False))),
    ("no-possession", BLOCK, True, offered(replace(SOUND, require_proof_of_possession=False))),
    ("backdate", WARN, False, alone(replace(SOUND, backdate_s=2 * DAY_S))),
    (
        "mixed-usage", WARN, False,
        alone(replace(SOUND, key_usage=(KeyUsage.CONTENT_COMMITMENT, KeyUsage.KEY_AGREEMENT))),
    ),
    ("anonymous-authentication", WARN, False, offered(LOGON, OPEN)),
    ("anonymous-authentication", NOTE, False, offered(LOGON, replace(OPEN, approvals=2))),
    ("anonymous-authentication", BLOCK, False, offered(LOGON, replace(OPEN, approvals=0))),
    ("names-unattended", NOTE, False, offered(SOUND)),
    ("names-unattended", WARN, False, offered(replace(SOUND, san=(SanRule(NameKind.DNS),)))),
    ("single-approval", NOTE, False, offered(LOGON, ONE)),
    ("root-issues", WARN, False, offered(SOUND, ONE, issuer=Issuer("ca", True, 0))),
    (
        "issuer-purpose", WARN, False,
        offered(SOUND, ONE, issuer=Issuer("ca", False, 0, frozenset({CLIENT}))),
    ),
]  # fmt: skip

GREEN: list[tuple[str, Use]] = [
    ("esc1-requester-names", offered(LOGON, ONE)),
    ("esc1-requester-names", offered(replace(LOGON, san=()))),  # the subject is fixed
    ("esc1-requester-names", offered(SOUND)),
    ("esc1-requester-names", offered(LOGON, issuer=Issuer("ca", False, 2))),
    ("esc1-requester-names", alone(replace(LOGON, approvals=1))),
    ("esc2-no-purpose", alone(CA)),
    ("esc3-enrolment-agent", alone(LOGON)),
    (
        "esc6-names-beside-csr",
        alone(
            replace(
                LOGON,
                overrides=(Override.SAN,),
                san=(SanRule(NameKind.DNS, from_requester=False),),
            )
        ),
    ),
    ("esc9-no-sid", alone(LOGON)),
    (
        "esc9-no-sid",
        alone(replace(san(NameKind.UPN), custom=(CustomExtension(SID, der_hex="0500"),))),
    ),
    ("esc13-policy-oid", alone(replace(LOGON, policies=(CertificatePolicy("1.2.3"),)))),
    ("esc14-weak-mapping", alone(san(NameKind.EMAIL, suffixes=("example.org",)))),
    ("esc15-application-policies", alone(custom("1.2.3", None))),
    ("upn-chosen", offered(san(NameKind.UPN), ONE)),
    ("sid-chosen", alone(san(NameKind.URI, regex="spiffe://.*"))),
    ("wildcard", alone(SOUND)),
    ("custom-chosen", offered(custom("1.2.3", "0500"))),
    ("ca-flag", alone(CA)),
    ("ca-path-length", alone(CA)),
    ("ca-approvals", alone(CA)),
    ("delegate-unattended", offered(replace(SOUND, extended_key_usage=(OCSP,)), ONE)),
    ("long-validity", alone(SOUND)),
    ("no-revocation", alone(replace(SOUND, cdp=(), aia_ocsp=(), max_validity_s=7 * DAY_S))),
    ("short-key", alone(replace(SOUND, key_algorithms=("rsa",)))),
    ("no-possession", offered(SOUND)),
    ("backdate", alone(SOUND)),
    ("mixed-usage", alone(SOUND)),
    ("anonymous-authentication", offered(SOUND, OPEN)),
    ("names-unattended", offered(SOUND, ONE)),
    ("single-approval", offered(LOGON, replace(ONE, approvals=2))),
    ("root-issues", offered(SOUND, ONE, issuer=Issuer("ca", False, 0))),
    ("issuer-purpose", offered(SOUND, ONE, issuer=Issuer("ca", False, 0, frozenset({SERVER})))),
]


def named(use: Use, which: str) -> list[Risk]:
    return [risk for risk in assess(use) if risk.id == which]


@pytest.mark.parametrize(("which", "severity", "acceptable", "use"), RED)
def test_finds(which: str, severity: Severity, acceptable: bool, use: Use) -> None:
    found = named(use, which)
    assert [(risk.severity, risk.acceptable) for risk in found] == [(severity, acceptable)]
    assert found[0].reason
    assert found[0].remedy
    assert found[0].about == (use.ra.name if use.ra else "")
    field = re.split(r"[\[.]", found[0].field)[0]
    assert hasattr(use.profile, field) or hasattr(use.ra, field)


@pytest.mark.parametrize(("which", "use"), GREEN)
def test_leaves_alone(which: str, use: Use) -> None:
    assert named(use, which) == []


def test_each_finding_has_a_green_case_too() -> None:
    only_red = {red[0] for red in RED} - {green[0] for green in GREEN}
    # These are what they are; there is no way to have them and be sound.
    assert only_red == {"esc2-any-purpose", "wildcard-unbounded", "ca-usage", "ca-in-ra",
                        "other-name-chosen"}  # fmt: skip


def test_a_registration_authority_as_a_whole() -> None:
    uses = [Use(replace(SOUND, extended_key_usage=(oid,)), FIXED, OPEN) for oid in (SERVER, CODE)]
    assert {"anonymous-no-quota", "mixed-purposes"} == {r.id for r in assess_ra(OPEN, uses)}
    assert assess_ra(LIMITED, [Use(SOUND, FIXED, LIMITED)]) == ()
    worst_first = [risk.severity for risk in assess_ra(NONE, [Use(san(NameKind.UPN), ASKED, NONE)])]
    assert worst_first == sorted(worst_first, key=list(Severity).index)


@pytest.mark.parametrize("profile", PROFILES, ids=[profile.name for profile in PROFILES])
def test_nothing_shipped_is_blocked(profile: ExtensionProfile) -> None:
    dn_profile = next(dn for dn in DN_PROFILES if dn.name == profile.dn_profile)
    found = [risk for risk in assess(Use(profile, dn_profile)) if risk.severity is BLOCK]
    assert found == []


def test_the_guide_explains_every_finding() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "risk.md").read_text()
    known = {red[0] for red in RED} | {"anonymous-no-quota", "mixed-purposes"}
    explained = set(re.findall(r"^\| `([a-z0-9-]+)`", guide, re.MULTILINE))
    assert known == explained - {*Severity}
