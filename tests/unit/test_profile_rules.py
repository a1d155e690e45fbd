"""Each rule for profiles, broken once."""

from dataclasses import replace

import pytest

from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.errors import BadRequest
from chancery.domain.names import NameKind, Syntax
from chancery.domain.profile import (
    DAY_S,
    EKU_NAMES,
    BasicConstraints,
    CertificatePolicy,
    CustomExtension,
    ExtensionProfile,
    KeyUsage,
    MsTemplate,
    NameConstraints,
    SanRule,
)
from chancery.domain.profile_rules import check_dn_profile, check_profile
from chancery.domain.shipped import DN_PROFILES, PROFILES

K = KeyUsage
LEAF = ExtensionProfile(name="leaf")
CA = ExtensionProfile(
    name="ca",
    key_usage=(K.KEY_CERT_SIGN, K.CRL_SIGN),
    basic_constraints=BasicConstraints(ca=True, path_length=1),
)


def eku(*names: str) -> tuple[str, ...]:
    return tuple(EKU_NAMES[name] for name in names)


GOOD = [
    *PROFILES,
    LEAF,
    CA,
    replace(LEAF, key_usage=()),
    replace(LEAF, basic_constraints=None),
    replace(LEAF, key_usage=(K.KEY_AGREEMENT, K.ENCIPHER_ONLY)),
    replace(LEAF, extended_key_usage=eku("clientAuth", "smartcardLogon")),
    replace(LEAF, extended_key_usage=("1.2.3.4",), key_usage=(K.DATA_ENCIPHERMENT,)),
    replace(LEAF, policies=(CertificatePolicy("1.2.3", "https://x/", "n" * 200),)),
    replace(LEAF, custom=(CustomExtension("1.3.6.1.4.1.311.25.2", der_hex="3000"),)),
    replace(LEAF, ms_template=MsTemplate("1.2.3", 100, 2)),
    replace(LEAF, cdp=("ldap://ldap.example.org/cn={ca}?certificateRevocationList",)),
    replace(CA, extended_key_usage=eku("serverAuth", "clientAuth")),
    replace(CA, extended_key_usage=eku("anyExtendedKeyUsage")),
    replace(CA, basic_constraints=BasicConstraints(ca=True)),
    replace(
        CA,
        name_constraints=NameConstraints(
            ("dns:example.org", "email:.example.org", "email:a@example.org", "directory:C=DE"),
            ("ip:10.0.0.0/8", "ip:2001:db8::/32", "uri:.example.org"),
        ),
    ),
    replace(
        LEAF,
        san=(
            SanRule(NameKind.DNS, suffixes=(".example.org", "example.org"), wildcards=True),
            SanRule(NameKind.IP, networks=("10.0.0.0/8",)),
            SanRule(NameKind.UPN, regex=r"[a-z]+@corp\.example"),
        ),
    ),
]

BAD: list[tuple[ExtensionProfile, str, str]] = [
    (replace(LEAF, name="Not A Slug"), "name", "name"),
    (replace(LEAF, name=""), "name", "name"),
    (replace(LEAF, key_algorithms=()), "key_algorithms", "key-algorithms"),
    (replace(LEAF, key_algorithms=("rsa-1024",)), "key_algorithms", "key-algorithms"),
    (replace(LEAF, approvals=-1), "approvals", "approvals"),
    (replace(LEAF, validity_s=0), "validity_s", "validity"),
    (replace(LEAF, validity_s=399 * DAY_S), "validity_s", "validity"),
    (replace(LEAF, max_validity_s=100 * 366 * DAY_S), "max_validity_s", "validity"),
    (replace(LEAF, backdate_s=-1), "backdate_s", "backdate"),
    (replace(LEAF, backdate_s=8 * DAY_S), "backdate_s", "backdate"),
    (replace(LEAF, validity_s=60, backdate_s=60), "backdate_s", "backdate"),
    (replace(LEAF, renewal_window_s=-1), "renewal_window_s", "renewal-window"),
    (replace(LEAF, key_usage=(K.KEY_CERT_SIGN,)), "key_usage", "ca-only"),
    (replace(LEAF, key_usage=(K.CRL_SIGN,)), "key_usage", "ca-only"),
    (
        replace(LEAF, basic_constraints=BasicConstraints(ca=False, path_length=0)),
        "basic_constraints.path_length",
        "path-length",
    ),
    (
        replace(LEAF, name_constraints=NameConstraints(("dns:x.org",))),
        "name_constraints",
        "ca-only",
    ),
    (
        replace(CA, basic_constraints=BasicConstraints(ca=True, path_length=-1)),
        "basic_constraints.path_length",
        "path-length",
    ),
    (replace(CA, key_usage=(K.CRL_SIGN,)), "key_usage", "ca-usage"),
    (replace(CA, key_usage=(K.KEY_CERT_SIGN, K.KEY_ENCIPHERMENT)), "key_usage", "ca-usage"),
    (replace(CA, key_usage_critical=False), "key_usage_critical", "ca-usage"),
    (replace(CA, subject_key_identifier=False), "subject_key_identifier", "key-identifiers"),
    (replace(CA, authority_key_identifier=False), "subject_key_identifier", "key-identifiers"),
    (replace(CA, ocsp_no_check=True), "ocsp_no_check", "no-check"),
    (
        replace(CA, extended_key_usage=eku("serverAuth", "codeSigning")),
        "extended_key_usage",
        "eku-mixed",
    ),
    (
        replace(CA, extended_key_usage=eku("serverAuth", "anyExtendedKeyUsage")),
        "extended_key_usage",
        "eku-any",
    ),
    (replace(LEAF, key_usage=(K.KEY_AGREEMENT,) * 2), "key_usage", "duplicate"),
    (replace(LEAF, key_usage=(K.ENCIPHER_ONLY,)), "key_usage", "key-agreement"),
    (
        replace(LEAF, key_usage=(K.KEY_AGREEMENT, K.ENCIPHER_ONLY, K.DECIPHER_ONLY)),
        "key_usage",
        "key-agreement",
    ),
    (replace(LEAF, extended_key_usage=("serverAuth",)), "extended_key_usage", "oid"),
    (replace(LEAF, extended_key_usage=eku("anyExtendedKeyUsage")), "extended_key_usage", "eku-any"),
    (
        replace(LEAF, extended_key_usage=eku("timeStamping", "clientAuth")),
        "extended_key_usage",
        "eku-alone",
    ),
    (
        replace(LEAF, extended_key_usage=eku("OCSPSigning", "clientAuth")),
        "extended_key_usage",
        "eku-alone",
    ),
    (replace(LEAF, extended_key_usage=eku("timeStamping")), "extended_key_usage", "eku-critical"),
    (
        replace(LEAF, extended_key_usage=eku("serverAuth", "codeSigning")),
        "extended_key_usage",
        "eku-mixed",
    ),
    (
        replace(LEAF, extended_key_usage=eku("clientAuth"), key_usage=(K.KEY_ENCIPHERMENT,)),
        "extended_key_usage",
        "eku-usage",
    ),
    (
        replace(
            LEAF,
            extended_key_usage=eku("codeSigning"),
            key_usage=(K.DIGITAL_SIGNATURE, K.CONTENT_COMMITMENT),
        ),
        "extended_key_usage",
        "eku-usage",
    ),
    (replace(LEAF, ocsp_no_check=True), "ocsp_no_check", "no-check"),
    (replace(LEAF, san=(SanRule(NameKind.DNS),) * 2), "san", "duplicate"),
    (replace(LEAF, san=(SanRule(NameKind.DNS, max_count=0),)), "san[0]", "count"),
    (
        replace(LEAF, san=(SanRule(NameKind.DNS, from_csr=False, from_requester=False),)),
        "san[0]",
        "source",
    ),
    (replace(LEAF, san=(SanRule(NameKind.IP, wildcards=True),)), "san[0]", "wildcard"),
    (replace(LEAF, san=(SanRule(NameKind.IP, suffixes=(".x",)),)), "san[0]", "suffix"),
    (replace(LEAF, san=(SanRule(NameKind.DNS, suffixes=("*.x",)),)), "san[0]", "suffix"),
    (replace(LEAF, san=(SanRule(NameKind.DNS, networks=("10.0.0.0/8",)),)), "san[0]", "network"),
    (replace(LEAF, san=(SanRule(NameKind.IP, networks=("10.0.0.1/8",)),)), "san[0]", "network"),
    (replace(LEAF, san=(SanRule(NameKind.DNS, regex="("),)), "san[0]", "regex"),
    (replace(LEAF, san=(SanRule(NameKind.DNS, regex="x" * 257),)), "san[0]", "regex"),
    (replace(CA, name_constraints=NameConstraints()), "name_constraints", "name-constraint"),
    *(
        (
            replace(CA, name_constraints=NameConstraints((text,))),
            "name_constraints",
            "name-constraint",
        )
        for text in ("x", "dns:*.x", "ip:10.0.0.1/8", "email:", "upn:x", "directory: ")
    ),
    (replace(LEAF, cdp=("crl",)), "cdp", "url"),
    (replace(LEAF, aia_ocsp=("http://a b/",)), "aia_ocsp", "url"),
    (replace(LEAF, aia_issuers=("{https}/x",)), "aia_issuers", "url"),
    (replace(LEAF, cdp=(), freshest_crl=("http://x/",)), "freshest_crl", "cdp"),
    (replace(LEAF, policies=(CertificatePolicy("x"),)), "policies[0].oid", "oid"),
    (replace(LEAF, policies=(CertificatePolicy("1.2"),) * 2), "policies", "duplicate"),
    (
        replace(LEAF, policies=(CertificatePolicy("1.2", cps_uri="x"),)),
        "policies[0].cps_uri",
        "url",
    ),
    (
        replace(LEAF, policies=(CertificatePolicy("1.2", notice="x" * 201),)),
        "policies[0].notice",
        "notice",
    ),
    (replace(LEAF, custom=(CustomExtension("x"),)), "custom[0].oid", "oid"),
    (replace(LEAF, custom=(CustomExtension("1.2.3"),) * 2), "custom", "duplicate"),
    *(
        (replace(LEAF, custom=(CustomExtension(oid),)), "custom[0].oid", "custom-typed")
        for oid in ("2.5.29.17", "2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.35", "2.5.29.14")
    ),
    (
        replace(LEAF, custom=(CustomExtension("1.3.6.1.4.1.11129.2.4.3", der_hex="0500"),)),
        "custom[0].oid",
        "custom-reserved",
    ),
    (replace(LEAF, custom=(CustomExtension("1.3.6.1.4.1.311.25.2"),)), "custom[0].der_hex", "sid"),
    (
        replace(LEAF, custom=(CustomExtension("1.2.3", der_hex="zz"),)),
        "custom[0].der_hex",
        "custom-value",
    ),
    (replace(LEAF, ms_template=MsTemplate("x", 1)), "ms_template", "ms-template"),
    (replace(LEAF, ms_template=MsTemplate("1.2.3", -1)), "ms_template", "ms-template"),
]  # fmt: skip


@pytest.mark.parametrize("profile", GOOD, ids=lambda p: p.name)
def test_accepts(profile: ExtensionProfile) -> None:
    check_profile(profile)


@pytest.mark.parametrize(
    ("profile", "field", "rule"), BAD, ids=lambda v: v if isinstance(v, str) else ""
)
def test_refuses(profile: ExtensionProfile, field: str, rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_profile(profile)
    assert (caught.value.field, caught.value.rule) == (f"profile.{field}", f"profile.{rule}")
    assert caught.value.remedy


CN = AttributeRule("2.5.4.3", Syntax.UTF8, ValueSource.CSR)
BAD_DN: list[tuple[DnProfile, str, str]] = [
    (DnProfile("X Y", (CN,)), "name", "name"),
    (DnProfile("x", ()), "attributes", "count"),
    (DnProfile("x", (replace(CN, oid="CN"),)), "attributes[0].oid", "oid"),
    (DnProfile("x", (replace(CN, syntax=Syntax.IA5),)), "attributes[0].syntax", "syntax"),
    (
        DnProfile("x", (replace(CN, oid="2.5.4.6", syntax=Syntax.UTF8),)),
        "attributes[0].syntax",
        "syntax",
    ),
    (DnProfile("x", (replace(CN, min_length=0),)), "attributes[0].max_length", "length"),
    (DnProfile("x", (replace(CN, min_length=65),)), "attributes[0].max_length", "length"),
    (DnProfile("x", (replace(CN, regex="["),)), "attributes[0].regex", "regex"),
    (DnProfile("x", (replace(CN, source=ValueSource.FIXED),)), "attributes[0].value", "value"),
    (DnProfile("x", (replace(CN, value="x"),)), "attributes[0].value", "value"),
    (
        DnProfile("x", (replace(CN, source=ValueSource.FIXED, value="x" * 65),)),
        "attributes[0].value",
        "value",
    ),
    (DnProfile("x", (replace(CN, rdn=1), replace(CN, rdn=1))), "attributes[1].rdn", "rdn"),
]


@pytest.mark.parametrize("profile", DN_PROFILES, ids=lambda p: p.name)
def test_accepts_our_dn_profiles(profile: DnProfile) -> None:
    check_dn_profile(profile)


@pytest.mark.parametrize(
    ("profile", "field", "rule"), BAD_DN, ids=lambda v: v if isinstance(v, str) else ""
)
def test_refuses_dn_profiles(profile: DnProfile, field: str, rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_dn_profile(profile)
    assert (caught.value.field, caught.value.rule) == (f"dn_profile.{field}", f"dn-profile.{rule}")
    assert caught.value.remedy


def test_every_dn_profile_that_a_profile_names_is_shipped() -> None:
    assert {p.dn_profile for p in PROFILES} <= {p.name for p in DN_PROFILES}
