"""Dangerous policy is refused, or accepted in writing; every change is a version."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.dn_profile import DnProfile, ValueSource
from chancery.domain.identity import SYSTEM
from chancery.domain.names import NameKind
from chancery.domain.policy import PolicyKind
from chancery.domain.profile import ExtensionProfile, SanRule
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.risk import Severity
from chancery.services.risk import RiskService

REASON = "a laboratory that nobody trusts"


@pytest.fixture
def clients(office: Office) -> Iterator[RegistrationAuthority]:
    """Not on record yet: everybody asks for log-on certificates, and nobody looks."""
    ra = replace(
        office.ras.show(SYSTEM, "automatic"),
        name="clients", profiles=("tls-client",), submit_groups=(),
    )  # fmt: skip
    yield ra
    office.ras.delete(SYSTEM, "clients")


def accepted(office: Office, kind: PolicyKind, name: str) -> dict[str, str]:
    with office.store.read() as session:
        return {one.risk: one.reason for one in session.policy_history.accepted(kind, name)}


def test_a_block_is_refused_until_somebody_says_why(
    office: Office, clients: RegistrationAuthority
) -> None:
    risk = "esc1-requester-names"
    for reasons, rule in (({}, f"risk.{risk}"), ({risk: "because"}, "risk.reason")):
        with pytest.raises(errors.BadRequest) as refusal:
            office.ras.put(SYSTEM, clients, accept_risks=reasons)
        assert (refusal.value.rule, bool(refusal.value.remedy)) == (rule, True)
    assert refusal.value.field == f"accept_risks.{risk}"
    with pytest.raises(errors.NotFound):
        office.ras.show(SYSTEM, "clients")
    office.ras.put(SYSTEM, clients, accept_risks={risk: f" {REASON} ", "not-found": "whatever"})
    assert accepted(office, PolicyKind.RA, "clients") == {risk: REASON}
    with office.store.read() as session:
        (record, *_) = session.audit.find(action="risk.accepted", subject_id="clients")
    assert record.event.details["risks"] == {risk: REASON}
    (judged,) = [
        judged
        for judged in RiskService(office.store).ra(SYSTEM, "clients")
        if judged.risk.severity is Severity.BLOCK
    ]
    assert judged.accepted is not None
    assert judged.accepted.reason == REASON
    # A change is answered for again, a repetition is none.
    office.ras.put(SYSTEM, clients)
    with pytest.raises(errors.BadRequest):
        office.ras.put(SYSTEM, replace(clients, description="changed"))
    office.ras.put(SYSTEM, replace(clients, approvals=1))
    assert accepted(office, PolicyKind.RA, "clients") == {}
    numbers = [version.version for version in office.ras.versions(SYSTEM, "clients")]
    assert numbers == [1, 2]
    assert office.ras.version(SYSTEM, "clients", 1) == clients
    with pytest.raises(errors.NotFound):
        office.ras.version(SYSTEM, "clients", 3)


def test_what_no_reason_helps(office: Office, clients: RegistrationAuthority) -> None:
    with pytest.raises(errors.BadRequest) as refusal:
        office.ras.put(
            SYSTEM,
            replace(clients, profiles=("user",)),
            accept_risks={"upn-chosen": REASON, "esc1-requester-names": REASON},
        )
    assert refusal.value.rule == "risk.upn-chosen"
    assert refusal.value.field == "ra.profiles"
    office.ras.put(SYSTEM, replace(clients, approvals=1))


def test_a_profile_answers_for_the_hands_it_is_in(
    office: Office, clients: RegistrationAuthority
) -> None:
    base = office.profiles.show(SYSTEM, "tls-server").profile
    harmless = replace(base, name="growing")
    office.profiles.put(SYSTEM, harmless)
    office.ras.put(SYSTEM, replace(clients, profiles=("growing",)))
    client = office.profiles.show(SYSTEM, "tls-client").profile.extended_key_usage
    logs_on = replace(harmless, extended_key_usage=client)
    with pytest.raises(errors.BadRequest) as refusal:
        office.profiles.put(SYSTEM, logs_on)
    assert refusal.value.rule == "risk.esc1-requester-names"
    assert refusal.value.field == "profile.approvals"
    assert str(refusal.value).startswith("clients: ")
    office.profiles.put(SYSTEM, logs_on, accept_risks={"esc1-requester-names": REASON})
    # What stands there already is not asked again.
    office.profiles.put(SYSTEM, replace(logs_on, description="spelled better"))


def test_a_dn_profile_answers_for_the_profiles_that_use_it(
    office: Office, clients: RegistrationAuthority
) -> None:
    free = office.profiles.dn_show(SYSTEM, "service")
    fixed = DnProfile(
        "one-machine",
        tuple(
            replace(rule, source=ValueSource.FIXED, value="one", editable=False)
            for rule in free.attributes
            if rule.required
        ),
    )
    office.profiles.dn_put(SYSTEM, fixed)
    profile = replace(
        office.profiles.show(SYSTEM, "tls-client").profile,
        name="one-machine", dn_profile="one-machine", san=(),
    )  # fmt: skip
    office.profiles.put(SYSTEM, profile)
    office.ras.put(SYSTEM, replace(clients, profiles=("one-machine",)))
    with pytest.raises(errors.BadRequest) as refusal:
        office.profiles.dn_put(SYSTEM, replace(free, name="one-machine"))
    assert refusal.value.rule == "risk.esc1-requester-names"
    office.profiles.dn_put(SYSTEM, replace(fixed, description="a machine"))
    assert [v.version for v in office.profiles.dn_versions(SYSTEM, "one-machine")] == [1, 2]
    assert office.profiles.dn_version(SYSTEM, "one-machine", 1) == fixed
    assert office.profiles.dn_put(SYSTEM, fixed) == fixed
    office.ras.put(SYSTEM, replace(clients, approvals=1))


def test_a_wildcard_without_bounds(office: Office) -> None:
    wild = ExtensionProfile(
        "wild",
        extended_key_usage=office.profiles.show(SYSTEM, "tls-server").profile.extended_key_usage,
        san=(SanRule(NameKind.DNS, wildcards=True),),
    )
    with pytest.raises(errors.BadRequest) as refusal:
        office.profiles.put(SYSTEM, wild)
    assert refusal.value.field == "profile.san[0].wildcards"
    office.profiles.put(SYSTEM, wild, accept_risks={"wildcard-unbounded": REASON})
    assert accepted(office, PolicyKind.PROFILE, "wild") == {"wildcard-unbounded": REASON}
    office.profiles.retire(SYSTEM, "wild")
    assert accepted(office, PolicyKind.PROFILE, "wild") == {}
