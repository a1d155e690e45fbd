"""Candidates: looked at while they are written, and tried on what was asked before."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.names import NameKind, Syntax
from chancery.domain.profile import (
    DAY_S,
    CustomExtension,
    ExtensionProfile,
    KeyUsage,
    Override,
    SanRule,
)
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import Submission
from chancery.services.dry_run import Outcome
from chancery.services.profile_diff import Change
from services.csr import p256_csr

Who = Callable[[str], Principal]


@pytest.fixture
def intranet(office: Office) -> ExtensionProfile:
    tls = office.profiles.show(SYSTEM, "tls-server").profile
    return replace(tls, name="intranet", san=(SanRule(NameKind.DNS, suffixes=(".corp.example",)),))


def test_a_preview_shows_what_would_be_made(office: Office, intranet: ExtensionProfile) -> None:
    seen = office.policy.previews.profile(SYSTEM, intranet, full=True)
    assert (seen.faults, seen.lint, seen.changes) == ((), (), None)
    assert seen.certificate is not None
    assert "CN=www.corp.example" in seen.certificate["subject"]
    assert seen.der is not None
    names = x509.load_der_x509_certificate(seen.der).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["www.corp.example"]
    with pytest.raises(errors.NotFound):  # it was a preview
        office.profiles.show(SYSTEM, "intranet")


def test_a_preview_lists_every_fault_and_risk(office: Office, intranet: ExtensionProfile) -> None:
    wrong = replace(
        intranet,
        validity_s=0,
        key_usage=(KeyUsage.KEY_CERT_SIGN,),
        san=(SanRule(NameKind.DNS, wildcards=True),),
        dn_profile="nope",
    )
    seen = office.policy.previews.profile(SYSTEM, wrong)
    assert {fault.field for fault in seen.faults} >= {
        "profile.validity_s", "profile.key_usage", "profile.dn_profile",
    }  # fmt: skip
    assert {judged.risk.id for judged in seen.risks} >= {"wildcard-unbounded", "ca-usage"}


def test_a_preview_says_what_changes(office: Office) -> None:
    tls = office.profiles.show(SYSTEM, "tls-server").profile
    seen = office.policy.previews.profile(SYSTEM, replace(tls, validity_s=DAY_S))
    assert seen.changes == (Change("validity_s", "90 days", "1 day"),)


def test_every_kind_of_name_and_open_extensions_have_a_sample(office: Office) -> None:
    everything = ExtensionProfile(
        "everything",
        extended_key_usage=("1.3.6.1.5.5.7.3.4",),
        key_usage=(KeyUsage.DIGITAL_SIGNATURE,),
        san=tuple(SanRule(kind) for kind in NameKind),
        custom=(CustomExtension("1.3.6.1.4.1.32473.9", required=True),),
    )
    seen = office.policy.previews.profile(SYSTEM, everything)
    assert (seen.faults, seen.lint) == ((), ())
    office.profiles.put(SYSTEM, everything)  # the linter's sample has the extension too
    office.profiles.retire(SYSTEM, "everything")


@pytest.mark.parametrize("key", ["rsa", *KeyAlgorithm])
def test_every_kind_of_key_has_a_sample(office: Office, key: str) -> None:
    tls = office.profiles.show(SYSTEM, "tls-server").profile
    seen = office.policy.previews.profile(SYSTEM, replace(tls, key_algorithms=(key,)), full=True)
    assert (seen.faults, seen.lint) == ((), ())


def test_a_preview_is_fast_enough_to_type_against(office: Office) -> None:
    profiles = [version.profile for version in office.profiles.all(SYSTEM)]
    for profile in profiles:  # keys of samples are made once a process
        office.policy.previews.profile(SYSTEM, profile)
    began = time.perf_counter()
    for profile in profiles:
        assert office.policy.previews.profile(SYSTEM, profile).lint == ()
    assert (time.perf_counter() - began) / len(profiles) < 0.15


def test_a_dn_profile_is_seen_within_a_profile(office: Office) -> None:
    fixed = AttributeRule("2.5.4.10", Syntax.UTF8, ValueSource.FIXED, "Example GmbH", rdn=1)
    name = AttributeRule("2.5.4.3", Syntax.UTF8, ValueSource.CSR, required=True, rdn=1)
    seen = office.policy.previews.dn_profile(SYSTEM, DnProfile("tls", (fixed, name)))
    assert seen.certificate is not None
    assert set(seen.certificate["subject"]) == {"O=Example GmbH", "CN=example.org"}  # one RDN
    assert seen.changes
    bad = office.policy.previews.dn_profile(SYSTEM, DnProfile("A b", ()))
    assert {fault.field for fault in bad.faults} == {"dn_profile.name", "dn_profile.attributes"}


def test_a_registration_authority_is_judged_before_it_is_written(office: Office) -> None:
    ra = replace(office.ras.show(SYSTEM, "automatic"), submit_groups=(), approvals=0)
    seen = office.policy.previews.ra(SYSTEM, ra)
    assert seen.faults == ()
    assert {j.risk.id for j in seen.risks} >= {"esc1-requester-names", "upn-chosen"}
    assert seen.changes == (Change("submit_groups", "testers", "none"),)
    seen = office.policy.previews.ra(SYSTEM, replace(ra, authorities=("nope",)))
    assert [fault.field for fault in seen.faults] == ["ra.authorities"]


@pytest.fixture
def asked(office: Office, who: Who) -> RegistrationAuthority:
    """Two requests on record: one inside corp.example, one outside."""
    name = "asked"
    if any(ra.name == name for ra in office.ras.all(SYSTEM)):
        return office.ras.show(SYSTEM, name)
    tls = office.profiles.show(SYSTEM, "tls-server").profile
    office.profiles.put(SYSTEM, replace(tls, name=name))
    ra = office.ras.put(
        SYSTEM, replace(office.ras.show(SYSTEM, "automatic"), name=name, profiles=(name,))
    )
    for host in ("www.corp.example", "www.example.org"):
        wanted = Submission(name, ra=name, csr=p256_csr(host).encode())
        office.registration.submit(who("requester"), wanted)
    return ra


def outcomes(office: Office, candidate: ExtensionProfile) -> list[Outcome]:
    run = office.policy.dry_runs.profile(SYSTEM, candidate)
    return [trial.outcome for trial in reversed(run.trials)]


def test_a_dry_run_of_a_profile(office: Office, asked: RegistrationAuthority) -> None:
    profile = office.profiles.show(SYSTEM, asked.name).profile
    assert outcomes(office, profile) == [Outcome.SAME, Outcome.SAME]
    narrow = replace(profile, san=(SanRule(NameKind.DNS, suffixes=(".corp.example",)),))
    assert outcomes(office, narrow) == [Outcome.SAME, Outcome.REFUSED]
    (refused, _) = office.policy.dry_runs.profile(SYSTEM, narrow).trials
    assert refused.refusal is not None
    assert refused.refusal.rule == "name.suffix"
    shorter = replace(profile, validity_s=DAY_S, approvals=2, policies=())
    run = office.policy.dry_runs.profile(SYSTEM, shorter, last=1)
    (trial,) = run.trials
    assert (run.count(Outcome.CHANGED), trial.outcome) == (1, Outcome.CHANGED)
    assert set(trial.changes) == {
        Change("validity.lasting_s", "90 days", "1 day"), Change("approvals", "0", "2"),
    }  # fmt: skip
    copy = replace(narrow, name="a-new-one", key_algorithms=("rsa",))
    run = office.policy.dry_runs.profile(SYSTEM, copy, like=asked.name)
    assert run.count(Outcome.REFUSED) == 2
    with pytest.raises(errors.NotFound):
        office.profiles.show(SYSTEM, "a-new-one")


def test_a_dry_run_of_a_dn_profile(office: Office, asked: RegistrationAuthority) -> None:
    profile = office.profiles.show(SYSTEM, asked.name).profile
    current = office.profiles.dn_show(SYSTEM, profile.dn_profile)
    organisation = AttributeRule("2.5.4.10", Syntax.UTF8, ValueSource.FIXED, "Example")
    candidate = replace(
        current,
        attributes=(organisation, *(r for r in current.attributes if r.oid != "2.5.4.10")),
    )
    run = office.policy.dry_runs.dn_profile(SYSTEM, candidate)
    assert len(run.trials) >= 2
    assert {trial.outcome for trial in run.trials} <= {Outcome.CHANGED, Outcome.ACCEPTED}
    assert all("subject" in {c.field for c in trial.changes} for trial in run.trials)


def test_a_dry_run_of_a_registration_authority(
    office: Office, asked: RegistrationAuthority, who: Who
) -> None:
    dry = office.policy.dry_runs
    assert dry.ra(SYSTEM, asked).count(Outcome.SAME) == 2
    for change, field in (
        ({"submit_groups": ("officers",)}, "ra.submit_groups"),
        ({"profiles": ("tls-server",)}, "ra.profiles"),
        ({"authorities": ("root-ca",)}, "ra.authorities"),
        ({"disabled": True}, "ra.disabled"),
    ):
        run = dry.ra(SYSTEM, replace(asked, **change))  # type: ignore[arg-type]
        assert [t.refusal and t.refusal.field for t in run.trials] == [field] * 2
    assert dry.ra(SYSTEM, replace(asked, approvals=1)).count(Outcome.CHANGED) == 2
    with pytest.raises(errors.NotPermitted):
        dry.ra(who("requester"), asked)


def test_overrides_matter_in_a_dry_run(office: Office, who: Who) -> None:
    tls = replace(office.profiles.show(SYSTEM, "tls-server").profile, name="chosen")
    office.profiles.put(SYSTEM, tls)
    automatic = office.ras.show(SYSTEM, "automatic")
    office.ras.put(SYSTEM, replace(automatic, name="chosen", profiles=("chosen",)))
    wanted = Submission("chosen", ra="chosen", csr=p256_csr("a.example.org").encode(), days=5)
    office.registration.submit(who("requester"), wanted)
    fixed = replace(tls, overrides=(Override.SAN, Override.SUBJECT))
    (trial,) = office.policy.dry_runs.profile(SYSTEM, fixed).trials
    assert trial.refusal is not None
    assert trial.refusal.rule == "override.validity"
