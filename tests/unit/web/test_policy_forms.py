"""Forms of policy: a definition becomes a draft, a draft becomes the same definition."""

from dataclasses import replace

import pytest

from chancery.domain.dn_profile import AttributeRule, DnProfile, Uniqueness, ValueSource
from chancery.domain.errors import BadRequest
from chancery.domain.names import NameKind, Syntax
from chancery.domain.profile import (
    BasicConstraints,
    CertificatePolicy,
    CustomExtension,
    ExtensionProfile,
    KeyUsage,
    MsTemplate,
    NameConstraints,
    Override,
    SanRule,
)
from chancery.domain.registration import RaEvent, RegistrationAuthority
from chancery.domain.shipped import DN_PROFILES, PROFILES
from chancery.domain.validity import LeafAfterIssuer
from chancery.web.console import dn_profile_form, drafts, profile_form, registration_form

EVERYTHING = ExtensionProfile(
    name="everything",
    description="Each field has something else",
    key_algorithms=("ec-p384", "ed25519"),
    validity_s=36 * 3600,
    max_validity_s=100_000_001,
    backdate_s=600,
    after_issuer=LeafAfterIssuer.REFUSE,
    key_usage=(KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT, KeyUsage.ENCIPHER_ONLY),
    key_usage_critical=False,
    extended_key_usage=("1.3.6.1.5.5.7.3.1", "1.2.3.4"),
    extended_key_usage_critical=True,
    basic_constraints=BasicConstraints(ca=True, path_length=0),
    san=(
        SanRule(NameKind.DNS, suffixes=(".a.example", "b.example"), wildcards=True),
        SanRule(NameKind.IP, from_csr=False, networks=("10.0.0.0/8",), max_count=3),
        SanRule(NameKind.URI, from_requester=False, required=True, regex="spiffe://.*"),
    ),
    cn_into_san=True,
    cdp=("http://a/crl", "http://b/crl"),
    aia_ocsp=(),
    aia_issuers=("ldap://x/c",),
    freshest_crl=("http://d/crl",),
    policies=(CertificatePolicy("1.2.3", "https://x/cps", "Read it"), CertificatePolicy("1.2.4")),
    name_constraints=NameConstraints(("dns:a.example",), ("ip:10.0.0.0/8",)),
    subject_key_identifier=False,
    authority_key_identifier=False,
    ocsp_no_check=True,
    ms_template=MsTemplate("1.2.3", 4, 0),
    custom=(CustomExtension("1.2.9", True, "0500"), CustomExtension("1.2.8", required=True)),
    overrides=(Override.SAN, Override.CUSTOM_EXTENSIONS),
    dn_profile="tls",
    approvals=3,
    renewal_window_s=0,
    require_proof_of_possession=False,
)


@pytest.mark.parametrize("profile", [*PROFILES, EVERYTHING], ids=lambda profile: profile.name)
def test_a_profile_comes_back_as_it_was(profile: ExtensionProfile) -> None:
    assert profile_form.profile_of(drafts.draft(profile_form.pairs_of(profile))) == profile


SUBJECT = DnProfile(
    "subject",
    (
        AttributeRule("2.5.4.6", Syntax.PRINTABLE, ValueSource.FIXED, "DE", max_length=2),
        AttributeRule(
            "2.5.4.3", Syntax.BMP, ValueSource.DEFAULT, "www", True, min_length=2, rdn=0,
            regex="[a-z]+",
        ),
        AttributeRule("1.2.3.4", Syntax.NUMERIC, ValueSource.REQUESTER, max_length=9, rdn=0),
    ),
    Uniqueness.SUBJECT_AND_KEY,
    "Each field has something else",
)  # fmt: skip
OFFICE = RegistrationAuthority(
    name="office",
    profiles=("a", "b"),
    authorities=("second", "first"),
    approval_group="officers",
    approvals=2,
    anonymous=True,
    request_lifetime_s=90_000,
    max_pending=7,
    submit_groups=("staff", "robots"),
    description="Each field has something else",
    daily_per_requester=3,
    open_per_requester=1,
    notify=("a@example.org", "b@example.org"),
    notify_events=(RaEvent.WAITING, RaEvent.EXPIRING),
    disabled=True,
)


@pytest.mark.parametrize("profile", [*DN_PROFILES, SUBJECT], ids=lambda profile: profile.name)
def test_a_dn_profile_comes_back_as_it_was(profile: DnProfile) -> None:
    assert dn_profile_form.profile_of(drafts.draft(dn_profile_form.pairs_of(profile))) == profile


@pytest.mark.parametrize(
    "ra", [OFFICE, replace(OFFICE, submit_groups=(), notify=(), open_per_requester=None)]
)
def test_a_registration_authority_comes_back_as_it_was(ra: RegistrationAuthority) -> None:
    assert registration_form.ra_of(drafts.draft(registration_form.pairs_of(ra))) == ra


def test_an_issuer_that_is_not_ticked_is_no_default() -> None:
    pairs = [
        pair for pair in registration_form.pairs_of(OFFICE) if pair != ("ra.authorities", "second")
    ]
    assert registration_form.ra_of(drafts.draft(pairs)).authorities == ("first",)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"profile.validity_s": "soon"}, "profile.validity_s"),
        ({"profile.approvals": "-1"}, "profile.approvals"),
        ({"profile.san[1].max_count": "many"}, "profile.san[1].max_count"),
        ({"profile.san[0].kind": "dog"}, "profile.san[0].kind"),
        ({"profile.after_issuer": "x"}, "profile.after_issuer"),
        ({"profile.key_usage": "x"}, "profile.key_usage[0]"),
    ],
)
def test_what_cannot_be_read_is_said_beside_its_field(changes: dict[str, str], field: str) -> None:
    pairs = [p for p in profile_form.pairs_of(EVERYTHING) if p[0] not in changes]
    with pytest.raises(BadRequest) as refusal:
        profile_form.profile_of(drafts.draft([*pairs, *changes.items()]))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90 days", 7_776_000), ("36h", 129_600), ("10 Minutes", 600), ("1y", 31_536_000),
     ("2 weeks", 1_209_600), ("3,600", 3600), ("0 seconds", 0)],
)  # fmt: skip
def test_lengths_of_time(text: str, seconds: int) -> None:
    form = drafts.draft([("x", text)])
    assert drafts.seconds(form, "x") == seconds
    assert drafts.seconds(drafts.draft([("x", drafts.lasting(seconds))]), "x") == seconds


@pytest.mark.parametrize(
    ("do", "kinds", "focus"),
    [
        ("add:profile.san", ["dns", "ip", "uri", "dns"], "profile.san[3].kind"),
        ("remove:profile.san:0", ["ip", "uri"], "profile.san[0].kind"),
        ("remove:profile.san:2", ["dns", "ip"], "profile.san[1].kind"),
        ("up:profile.san:1", ["ip", "dns", "uri"], "profile.san[0].kind"),
        ("down:profile.san:1", ["dns", "uri", "ip"], "profile.san[2].kind"),
        ("down:profile.san:2", ["dns", "ip", "uri"], "profile.san[2].kind"),
        ("up:profile.san:99", ["dns", "ip", "uri"], "profile.san-add"),
        ("remove:profile.san:", ["dns", "ip", "uri"], "profile.san-add"),
        ("melt:profile.name:0", ["dns", "ip", "uri"], ""),
    ],
)
def test_rows_come_move_and_go(do: str, kinds: list[str], focus: str) -> None:
    form = drafts.draft(profile_form.pairs_of(EVERYTHING))
    changed, looked_at = drafts.with_rows_changed(form, do, profile_form.FRESH)
    assert looked_at == focus
    profile = profile_form.profile_of(changed)
    assert [rule.kind.value for rule in profile.san] == kinds
    assert replace(profile, san=()) == replace(EVERYTHING, san=())


def test_the_last_row_leaves_the_button_that_adds_one() -> None:
    form = drafts.draft([("profile.custom[0].oid", "1.2.3")])
    changed, focus = drafts.with_rows_changed(form, "remove:profile.custom:0", profile_form.FRESH)
    assert (drafts.rows(changed, "profile.custom"), focus) == (0, "profile.custom-add")


def test_reasons_are_those_that_were_given() -> None:
    form = drafts.draft([("accept_risks.a", " why "), ("accept_risks.b", " "), ("c", "x")])
    assert drafts.reasons(form) == {"a": "why"}
