"""Certificates on record: found, judged, revoked."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.certificate import CertificateRecord, RevocationReason
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.request import Submission
from chancery.ports import CertificateFilter, LintResult, Page
from services.csr import p256_csr

Who = Callable[[str], Principal]


def issued(office: Office, who: Who, name: str) -> CertificateRecord:
    submission = Submission("tls-server", ra="automatic", csr=p256_csr(name).encode())
    record = office.registration.submit(who("requester"), submission).certificate
    assert record is not None
    return record


@pytest.mark.parametrize(
    ("where", "kind", "field", "rule"),
    [
        ({"authority": "nope"}, errors.NotFound, "authority", "authority.known"),
        ({"key_sha256": "12"}, errors.BadRequest, "key_sha256", "sha256.syntax"),
        ({"key_sha256": "g*"}, errors.BadRequest, "key_sha256", "sha256.syntax"),
        ({"key_sha256": "a" * 64 + "*"}, errors.BadRequest, "key_sha256", "sha256.syntax"),
        ({"name": "foo:bar"}, errors.BadRequest, "name", "name.kind"),
        ({"serial": "xyz"}, errors.BadRequest, "serial", "serial.syntax"),
    ],
)
def test_a_condition_that_nothing_meets_is_an_error(
    office: Office,
    who: Who,
    where: dict[str, str],
    kind: type[errors.CAError],
    field: str,
    rule: str,
) -> None:
    with pytest.raises(kind) as refusal:
        office.certificates.find(who("auditor"), CertificateFilter(**where), Page())
    assert (refusal.value.field, refusal.value.rule) == (field, rule)
    assert refusal.value.remedy


def test_conditions_in_the_ways_people_write_them(office: Office, who: Who) -> None:
    record = issued(office, who, "ways.example.org")
    key = record.key_sha256
    for where in (
        CertificateFilter(key_sha256=key.upper()),
        CertificateFilter(key_sha256=key[:12] + "*", authority="issuing*"),
        CertificateFilter(name="dns:ways.example.org", authority=record.authority),
        CertificateFilter(name="ways.example.org"),
    ):
        assert [r.id for r in office.certificates.find(who("auditor"), where, Page())] == [
            record.id
        ]
    for name in ("2001:db8::1", "2001:db8:*", "http://www.example.org", "URI:http://a", "::9"):
        assert office.certificates.find(who("auditor"), CertificateFilter(name=name), Page()) == []


def test_no_finding_is_not_the_same_as_not_looked_at(office: Office, who: Who) -> None:
    record = issued(office, who, "lint.example.org")
    before = office.certificates.lint(who("auditor"), record.serial)
    assert (before.linters, before.waiting) == ([], ["pkilint"])
    office.store.write(lambda session: session.lint.add(record.id, "pkilint", [], 7))
    after = office.certificates.lint(who("auditor"), record.serial)
    assert (after.linters, after.waiting) == ([LintResult("pkilint", 7, ())], [])


def test_an_invalidity_date_is_past(office: Office, who: Who) -> None:
    record = issued(office, who, "past.example.org")
    officer, reason = who("officer1"), RevocationReason.keyCompromise
    now = office.clock.s()
    with pytest.raises(errors.BadRequest) as refusal:
        office.certificates.revoke(officer, record.serial, reason, invalidity_date=now + 3600)
    assert (refusal.value.field, refusal.value.rule) == ("invalidity_date", "invalidity-date.past")
    revoked = office.certificates.revoke(officer, record.serial, reason, invalidity_date=now - 60)
    assert revoked.invalidity_date == now - 60


def last(office: Office, action: str) -> dict[str, Any]:
    with office.store.read() as session:
        (record,) = session.audit.find(action=action, limit=1)
    details: dict[str, Any] = json.loads(record.leaf)["details"]
    return details


def test_the_log_tells_when_and_since_when(office: Office, who: Who) -> None:
    record = issued(office, who, "when.example.org")
    held = office.certificates.hold(who("officer1"), record.serial)
    assert last(office, "certificate.held")["revoked_at"] == held.revoked_at
    since = office.clock.s() - 60
    revoked = office.certificates.revoke(
        SYSTEM, record.serial, RevocationReason.superseded, invalidity_date=since
    )
    details = last(office, "certificate.revoked")
    assert (details["revoked_at"], details["invalidity_date"]) == (held.revoked_at, since)
    assert revoked.revoked_at == held.revoked_at
