"""Issuance, and what start-up makes of what a crash left behind."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.certificate import (
    CertificateRecord,
    CertificateStatus,
    Intent,
    RevocationReason,
)
from chancery.domain.dn_profile import Uniqueness
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.ids import new_id
from chancery.domain.keys import CertificateOrder
from chancery.domain.request import Approval, CertificateRequest, RequestState, Submission
from chancery.services.preparation import Preparation, submission_of
from chancery.wire.tbs import assemble
from services.csr import p256_csr

Who = Callable[[str], Principal]


def automatic(name: str = "auto.example.org") -> Submission:
    return Submission("tls-server", ra="automatic", csr=p256_csr(name).encode())


def test_bulk_answers_in_order_and_one_bad_piece_harms_no_other(office: Office, who: Who) -> None:
    weak = errors.BadCSR("unreadable", field="csr")
    submissions: list[Submission | errors.CAError] = [
        automatic(f"bulk{n}.example.org") for n in range(20)
    ]
    submissions[7] = replace(automatic(), profile="no-such-profile")
    submissions[11] = weak
    submissions[13] = replace(automatic(), csr=b"garbage")
    answers = list(office.registration.submit_many(who("requester"), submissions))
    assert len(answers) == 20
    for number, answer in enumerate(answers):
        if number in (7, 11, 13):
            assert isinstance(answer, errors.CAError)
        else:
            assert not isinstance(answer, errors.CAError)
            assert answer.request.subject == f"CN=bulk{number}.example.org"
            assert answer.certificate is not None
    assert answers[11] is weak


def test_a_compromised_key_is_blocked(office: Office, who: Who) -> None:
    again = automatic()
    issued = office.registration.submit(who("requester"), again)
    office.certificates.revoke(
        who("officer1"), issued.request.serial, RevocationReason.keyCompromise
    )
    with pytest.raises(errors.BadKey) as refusal:
        office.registration.submit(who("requester"), again)
    assert refusal.value.rule == "key.blocked"


def test_revoked_stays_revoked_and_only_a_hold_is_lifted(office: Office, who: Who) -> None:
    serial = office.registration.submit(who("requester"), automatic()).request.serial
    officer = who("officer1")
    assert office.certificates.hold(officer, serial).status is CertificateStatus.HELD
    assert office.certificates.release(officer, serial).status is CertificateStatus.VALID
    office.certificates.revoke(officer, serial.upper(), RevocationReason.superseded)
    with pytest.raises(errors.AlreadyRevoked):
        office.certificates.revoke(officer, serial, RevocationReason.keyCompromise)
    with pytest.raises(errors.Conflict):
        office.certificates.release(officer, serial)


def test_a_key_made_here_leaves_as_pkcs12_for_its_requester(office: Office, who: Who) -> None:
    submitted = office.registration.submit(
        who("requester"),
        Submission(
            "user",
            ra="automatic",
            server_key="ec-p256",
            subject=(("CN", "Ada Lovelace"), ("emailAddress", "ada@example.org")),
            names=(),
        ),
    )
    for short in (None, "", "eleven char"):
        with pytest.raises(errors.BadRequest) as refusal:
            office.delivery.download(
                who("requester"), submitted.request.id, "p12", passphrase=short
            )
        assert (refusal.value.rule, bool(refusal.value.remedy)) == ("pkcs12.passphrase", True)
    data = office.delivery.download(
        who("requester"), submitted.request.id, "p12", passphrase="correct horse battery"
    ).data
    key, certificate, chain = pkcs12.load_key_and_certificates(data, b"correct horse battery")
    assert key is not None
    assert certificate is not None
    assert key.public_key() == certificate.public_key()
    assert len(chain) == 2
    with pytest.raises(errors.NotPermitted):
        office.delivery.download(
            who("officer1"), submitted.request.id, "p12", passphrase="correct horse battery"
        )


@pytest.fixture
def renewable(office: Office, who: Who) -> Callable[[str], CertificateRecord]:
    """Certificates that may be renewed from their first day on."""
    profile = office.profiles.show(SYSTEM, "tls-server").profile
    open_ = replace(profile, name="renewable", renewal_window_s=profile.max_validity_s)
    office.profiles.put(SYSTEM, open_)
    ra = office.ras.show(SYSTEM, "automatic")
    office.ras.put(SYSTEM, replace(ra, name="renewals", profiles=("renewable",)))

    def issue(name: str) -> CertificateRecord:
        wanted = Submission("renewable", ra="renewals", csr=p256_csr(name).encode())
        record = office.registration.submit(who("requester"), wanted).certificate
        assert record is not None
        return record

    return issue


def test_a_renewal_keeps_subject_names_and_key(office: Office, who: Who, renewable: Any) -> None:
    record = renewable("keep.example.org")
    renewed = office.delivery.renew(who("requester"), record.serial).certificate
    assert renewed is not None
    for same in ("subject", "names", "key_sha256", "authority", "profile"):
        assert getattr(renewed, same) == getattr(record, same)
    assert renewed.renewed_from == record.id
    with pytest.raises(errors.Conflict) as refusal:
        office.delivery.renew(who("requester"), record.serial)
    assert refusal.value.rule == "renewal.once"
    assert renewed.serial in str(refusal.value)
    office.certificates.revoke(who("officer1"), renewed.serial, RevocationReason.superseded)
    assert office.delivery.renew(who("requester"), record.serial).certificate


def test_a_new_key_brings_no_other_name(office: Office, who: Who, renewable: Any) -> None:
    record = renewable("r.example.org")
    requester = who("requester")
    for name in ("r2.example.org", "other.example.org"):
        with pytest.raises(errors.BadRequest) as refusal:
            office.delivery.renew(requester, record.serial, csr=p256_csr(name).encode())
        assert refusal.value.rule == "renewal.names"
    renewed = office.delivery.renew(
        requester, record.serial, csr=p256_csr("r.example.org").encode()
    ).certificate
    assert renewed is not None
    assert renewed.names == record.names
    assert renewed.key_sha256 != record.key_sha256


def test_an_edit_keeps_the_csr(office: Office, who: Who) -> None:
    """What is not edited stays, the CSR too, which is kept beside the submission."""
    request = office.registration.submit(
        who("requester"), replace(automatic("edit.example.org"), ra="main")
    ).request
    given = submission_of(request)
    assert given.csr == request.csr
    edited = office.changes.edit(who("requester"), request.id, replace(given, days=9))
    assert edited.key_sha256 == request.key_sha256


def test_renewal_waits_for_its_window(office: Office, who: Who) -> None:
    serial = office.registration.submit(who("requester"), automatic()).request.serial
    with pytest.raises(errors.WrongState) as refusal:
        office.delivery.renew(who("requester"), serial)
    assert refusal.value.rule == "renewal.window"
    with pytest.raises(errors.NotPermitted):
        office.delivery.renew(who("officer1"), serial)


def left_behind(office: Office, who: Who, *, approved: bool) -> tuple[CertificateRequest, Intent]:
    """A request and its intent, on record as if the process had died right after."""
    preparation = Preparation(office.catalogue, office.vault, office.clock, secrets.token_bytes)
    request = preparation.prepare(who("requester"), automatic("crash.example.org"))
    now = office.clock.s()
    authority = office.catalogue.authority(request.authority)
    assert authority.key_id is not None
    intent = Intent(
        id=new_id(office.clock.ms(), secrets.token_bytes(10)),
        authority=request.authority,
        key_id=authority.key_id,
        serial=request.serial,
        tbs=assemble(request.tbs, *request.tbs.validity.starting(now)),
        request_id=request.id,
        profile_sha256=request.profile_sha256,
        content_sha256=request.content_sha256,
        created_at=now,
    )

    def unit(session: object) -> None:
        session.requests.add([request])  # type: ignore[attr-defined]
        session.certificates.intend([intent])  # type: ignore[attr-defined]
        if approved:
            session.requests.add_approval(  # type: ignore[attr-defined]
                Approval(request.id, "officer1", request.content_sha256, now)
            )

    office.store.write(unit)
    return request, intent


def test_signed_before_the_crash_is_completed_from_the_journal(office: Office, who: Who) -> None:
    request, intent = left_behind(office, who, approved=False)
    order = CertificateOrder(
        key_id=intent.key_id,
        algorithm=office.catalogue.authority(intent.authority).signature_algorithm,
        tbs=intent.tbs,
        intent_id=intent.id,
        serial=intent.serial,
        tbs_sha256=hashlib.sha256(intent.tbs).hexdigest(),
    )
    (signature,) = office.vault.sign_certificates([order])

    found = office.reconciliation.run()

    assert (found.completed, found.abandoned) == (1, 0)
    record = office.certificates.show(SYSTEM, request.serial)
    parsed = x509.load_der_x509_certificate(record.der)
    assert parsed.signature == signature
    assert parsed.tbs_certificate_bytes == intent.tbs
    shown = office.registration.show(SYSTEM, request.id).request
    assert shown.state is RequestState.ISSUED
    assert office.reconciliation.run().completed == 0


def test_unsigned_and_unapproved_is_abandoned(office: Office, who: Who) -> None:
    request, _ = left_behind(office, who, approved=False)
    assert office.reconciliation.run().abandoned == 1
    shown = office.registration.show(SYSTEM, request.id).request
    assert shown.state is RequestState.FAILED
    with pytest.raises(errors.NotFound):
        office.certificates.show(SYSTEM, request.serial)


def test_unsigned_but_approved_is_signed_now(office: Office, who: Who) -> None:
    request, _ = left_behind(office, who, approved=True)
    assert office.reconciliation.run().signed == 1
    assert office.certificates.show(SYSTEM, request.serial).status is CertificateStatus.VALID


def test_what_is_young_is_left_to_its_request(office: Office, who: Who) -> None:
    left_behind(office, who, approved=False)
    assert office.reconciliation.run(older_than_s=60).abandoned == 0
    assert office.reconciliation.run().abandoned == 1


@pytest.mark.parametrize("rule", [Uniqueness.SUBJECT, Uniqueness.SUBJECT_AND_KEY])
def test_a_unique_subject_has_one_holder(office: Office, who: Who, rule: Uniqueness) -> None:
    name = f"unique-{rule.value}"
    base = office.profiles.dn_show(SYSTEM, "any-subject")
    office.profiles.dn_put(SYSTEM, replace(base, name=name, uniqueness=rule))
    tls = office.profiles.show(SYSTEM, "tls-server").profile
    office.profiles.put(SYSTEM, replace(tls, name=name, dn_profile=name))
    ra = office.ras.show(SYSTEM, "automatic")
    office.ras.put(SYSTEM, replace(ra, name=name, profiles=(name,)))

    def ask(csr: str) -> CertificateRequest:
        asked = Submission(name, ra=name, csr=csr.encode())
        return office.registration.submit(who("requester"), asked).request

    first = p256_csr(f"{name}.example.org")
    serial = ask(first).serial
    with pytest.raises(errors.AlreadyExists) as refusal:
        ask(p256_csr(f"{name}.example.org"))
    assert refusal.value.rule == f"subject.unique.{rule.value}"
    if rule is Uniqueness.SUBJECT_AND_KEY:
        assert ask(first).state is RequestState.ISSUED
    else:
        office.certificates.revoke(who("officer1"), serial, RevocationReason.superseded)
        assert ask(p256_csr(f"{name}.example.org")).state is RequestState.ISSUED


def test_a_unique_subject_has_one_holder_in_one_batch(office: Office, who: Who) -> None:
    name = "unique-batch"
    base = office.profiles.dn_show(SYSTEM, "any-subject")
    office.profiles.dn_put(SYSTEM, replace(base, name=name, uniqueness=Uniqueness.SUBJECT))
    tls = office.profiles.show(SYSTEM, "tls-server").profile
    office.profiles.put(SYSTEM, replace(tls, name=name, dn_profile=name))
    ra = office.ras.show(SYSTEM, "automatic")
    office.ras.put(SYSTEM, replace(ra, name=name, profiles=(name,)))
    same = [
        Submission(name, ra=name, csr=p256_csr("batch.example.org").encode()) for _ in range(20)
    ]
    answers = list(office.registration.submit_many(who("requester"), same))
    issued = [answer for answer in answers if not isinstance(answer, errors.CAError)]
    assert len(issued) == 1
