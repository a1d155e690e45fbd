"""What goes into the record comes out of it, and only the moves that are allowed are made."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chancery.adapters.storage import SqlStore, audit
from chancery.domain import audit as domain_audit
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.audit import AuditEvent, Outcome
from chancery.domain.authority import (
    Authority,
    AuthorityCertificate,
    AuthorityCertificateKind,
    AuthorityState,
    Container,
    CrlRecord,
    SecurityLevel,
)
from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.errors import AlreadyExists, BadRequest, Conflict, NotFound, WrongState
from chancery.domain.identity import ApiToken, ClientCertificate, Permission, RoleClass, User
from chancery.domain.names import Attribute, DistinguishedName, GeneralName, NameKind, Syntax
from chancery.domain.profile import CustomExtension, ExtensionProfile, MsTemplate, ProfileVersion
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import Approval, Note, RequestState
from chancery.ports import LintResult, Session, Unlinted
from chancery.wire import documents
from services import records

NOW = records.NOW
AUTHORITY = Authority(
    "issuing", "main", "root",
    DistinguishedName(((Attribute("2.5.4.3", "Zoë, CA", Syntax.UTF8),), (Attribute("2.5.4.6", "DE", Syntax.PRINTABLE),))),
    "key-1", KeyAlgorithm.EC_P384, SignatureAlgorithm.ECDSA_SHA384, AuthorityState.ACTIVE, False,
    "silo", "eu", SecurityLevel.HIGH, b"\x30\x00\xff", (b"\x01\x00", b"\x02"), NOW,
)  # fmt: skip


def test_authorities(store: SqlStore) -> None:
    container = Container("main", "owners", "all of them")
    with pytest.raises(Conflict):
        store.write(lambda s: s.authorities.add(AUTHORITY))  # no such container
    store.write(lambda s: s.authorities.add_container(container))
    store.write(lambda s: s.authorities.add(AUTHORITY))
    with pytest.raises(AlreadyExists, match="authority of this name"):
        store.write(lambda s: s.authorities.add(AUTHORITY))
    offline = replace(AUTHORITY, name="root", parent=None, offline=True, certificate=None, chain=())
    store.write(lambda s: s.authorities.add(offline))
    changed = replace(AUTHORITY, state=AuthorityState.DISABLED, ocsp_certificate=b"\x05")
    store.write(lambda s: s.authorities.update(changed))
    with pytest.raises(NotFound):
        store.write(lambda s: s.authorities.update(replace(AUTHORITY, name="none")))
    with store.read() as session:
        assert session.authorities.containers() == [container]
        assert session.authorities.container("main") == container
        assert session.authorities.get("none") is None
        assert session.authorities.all() == [changed, offline]


def test_one_certificate_of_an_authority_is_current(store: SqlStore) -> None:
    def made(serial: str, *, current: bool) -> AuthorityCertificate:
        kind = AuthorityCertificateKind.SUBORDINATE
        return AuthorityCertificate(
            "issuing", kind, "k", serial, "CN=Root", b"d", 1, 2, NOW, current
        )

    store.write(lambda s: s.authorities.add_container(Container("main", None)))
    store.write(lambda s: s.authorities.add(AUTHORITY))
    for serial, current in (("1", True), ("2", False), ("3", True)):
        certificate = made(serial, current=current)
        store.write(lambda s, c=certificate: s.authorities.add_certificate(c))
    with store.read() as session:
        found = session.authorities.certificates("issuing")
    assert [(c.serial, c.current) for c in found] == [("1", False), ("2", False), ("3", True)]


def version(number: int, **changes: object) -> ProfileVersion:
    profile = ExtensionProfile("tls", description=f"v{number}", **changes)  # type: ignore[arg-type]
    return ProfileVersion(profile, number, documents.sha256(profile), NOW, "ada")


def test_profiles_keep_every_version(store: SqlStore) -> None:
    first = version(
        1, ms_template=MsTemplate("1.2.3", 4), custom=(CustomExtension("1.2", der_hex="05"),)
    )
    second = version(2)
    for each in (first, second):
        store.write(lambda s, v=each: s.profiles.add(v))
    with pytest.raises(AlreadyExists):
        store.write(lambda s: s.profiles.add(replace(second, sha256="0" * 64)))
    with store.read() as session:
        assert session.profiles.latest("tls") == second
        assert session.profiles.all() == [second]
        assert session.profiles.versions("tls") == [first, second]
        assert session.profiles.version(first.sha256) == first
    store.write(lambda s: s.profiles.retire("tls"))
    with pytest.raises(NotFound):
        store.write(lambda s: s.profiles.retire("tls"))
    with store.read() as session:
        assert session.profiles.latest("tls") is None
        assert session.profiles.all() == []
        assert session.profiles.version(first.sha256) == first
    store.write(lambda s: s.profiles.add(first))  # comes back as it was
    with store.read() as session:
        assert session.profiles.latest("tls") == first
        assert session.profiles.versions("tls") == [first, second]


def test_a_profile_that_nobody_chooses_is_kept_beside_the_others(store: SqlStore) -> None:
    first, second = version(1), version(2)
    store.write(lambda s: s.profiles.add(first))
    for _ in range(2):
        store.write(lambda s: s.profiles.keep(replace(second, version=1)))
    store.write(lambda s: s.profiles.keep(first))
    with store.read() as session:
        assert session.profiles.latest("tls") == first
        assert session.profiles.version(second.sha256) == second
        assert session.profiles.versions("tls") == [first, second]


def test_dn_profiles_and_registration_authorities(store: SqlStore) -> None:
    rule = AttributeRule("2.5.4.3", Syntax.UTF8, ValueSource.CSR, required=True)
    dn, ra = (
        DnProfile("people", (rule,)),
        RegistrationAuthority("staff", ("tls",), ("issuing",), "g", 2, False),
    )
    store.write(
        lambda s: (s.profiles.put_dn(replace(dn, description="old")), s.profiles.put_dn(dn))
    )
    store.write(lambda s: (s.registrations.put(replace(ra, approvals=1)), s.registrations.put(ra)))
    with store.read() as session:
        assert (session.profiles.dn("people"), session.profiles.dn_all()) == (dn, [dn])
        assert (session.registrations.get("staff"), session.registrations.all()) == (ra, [ra])
    store.write(lambda s: (s.profiles.delete_dn("people"), s.registrations.delete("staff")))
    with pytest.raises(NotFound):
        store.write(lambda s: s.profiles.delete_dn("people"))
    with pytest.raises(NotFound):
        store.write(lambda s: s.registrations.delete("staff"))


def test_requests_move_by_compare_and_set(store: SqlStore) -> None:
    request = records.request(names=(GeneralName(NameKind.URI, "https://x:1/a:b"),), csr=None)
    store.write(lambda s: s.requests.add([request]))
    pending, approved = RequestState.PENDING, RequestState.APPROVED

    def approve(session: Session) -> None:
        session.requests.set_state(request.id, pending, approved, decided_at=NOW, reason="fine")

    store.write(approve)
    with pytest.raises(WrongState, match="is approved, not pending"):
        store.write(approve)
    with pytest.raises(NotFound):
        store.write(lambda s: s.requests.set_state("none", pending, approved))
    with store.read() as session:
        moved = replace(request, state=approved, decided_at=NOW, decision_reason="fine")
        assert session.requests.get(request.id) == moved
    edited = replace(moved, submission="{}", subject="CN=other", failure="why")
    store.write(lambda s: s.requests.replace(edited))
    store.write(lambda s: s.requests.issued([(request.id, "cert-1")]))
    with pytest.raises(WrongState):
        store.write(lambda s: s.requests.issued([(request.id, "cert-2")]))
    with store.read() as session:
        final = replace(edited, state=RequestState.ISSUED, certificate_id="cert-1")
        assert session.requests.get(request.id) == final
    with pytest.raises(NotFound):
        store.write(lambda s: s.requests.replace(replace(edited, id="none")))


def test_approvals_and_notes(store: SqlStore) -> None:
    request = records.request()
    store.write(lambda s: s.requests.add([request]))
    yes = Approval(request.id, "olga", request.content_sha256, NOW)
    store.write(lambda s: s.requests.add_approval(yes))
    with pytest.raises(Conflict, match="another officer must approve"):
        store.write(lambda s: s.requests.add_approval(replace(yes, approved_at=NOW + 1)))
    again = replace(yes, content_sha256="0" * 64)
    store.write(lambda s: s.requests.add_approval(again))
    notes = [Note("olga", NOW, "first"), Note("rita", NOW, "second")]
    for note in notes:
        store.write(lambda s, n=note: s.requests.add_note(request.id, n))
    with store.read() as session:
        assert set(session.requests.approvals(request.id)) == {yes, again}
        assert session.requests.notes(request.id) == notes
    store.write(lambda s: s.requests.void_approvals(request.id))
    with store.read() as session:
        assert session.requests.approvals(request.id) == []
    store.write(lambda s: s.requests.delete(request.id))
    with store.read() as session:
        assert session.requests.get(request.id) is None
        assert session.requests.notes(request.id) == []


def test_what_waits_is_counted_and_expires(store: SqlStore) -> None:
    made = [records.request(expires_at=NOW + n) for n in range(4)]
    made.append(records.request(state=RequestState.APPROVED, expires_at=NOW))
    store.write(lambda s: s.requests.add(made))
    with store.read() as session:
        assert session.requests.count_pending("staff") == 4
        assert session.requests.count_pending("other") == 0
        assert session.requests.expired(NOW + 2, 10) == [r.id for r in made[:3]]
        assert session.requests.expired(NOW + 2, 1) == [made[0].id]
        key = made[1].key_sha256
        assert session.requests.pending_with_key(key, "tls-server") == made[1].id
        assert session.requests.pending_with_key(key, "user") is None
        assert session.requests.pending_with_key(made[4].key_sha256, "tls-server") is None


def test_from_intent_to_certificate(store: SqlStore) -> None:
    request = records.request(state=RequestState.APPROVED)
    intent, certificate = records.intent(request), records.certificate(request)
    store.write(lambda s: s.certificates.intend([intent]))
    with store.read() as session:
        assert session.certificates.intents() == [intent]
        known = session.certificates.status("issuing", intent.serial)
        assert known == (CertificateStatus.INTENDED, None)
        assert session.certificates.status("other", intent.serial) is None
    store.write(lambda s: s.certificates.issue([certificate], [intent.id]))
    with pytest.raises(Conflict):
        store.write(lambda s: s.certificates.issue([certificate], [intent.id]))
    for clash in (intent, replace(intent, id="other")):
        with pytest.raises(Conflict):
            store.write(lambda s, i=clash: s.certificates.intend([i]))
    with store.read() as session:
        found = session.certificates
        assert found.intents() == []
        assert found.get(certificate.id) == found.by_hash(certificate.sha256) == certificate
        assert found.by_serial(intent.serial) == [certificate]
        assert found.by_serial(intent.serial, "other") == []
        assert found.status("issuing", intent.serial) == (CertificateStatus.VALID, None)
        key = (certificate.id, certificate.key_sha256)
        assert found.valid_subject("issuing", certificate.subject, NOW) == [key]
        assert found.valid_subject("issuing", certificate.subject, certificate.not_after + 1) == []


def test_a_certificate_without_an_open_intent_is_refused_whole(store: SqlStore) -> None:
    request = records.request()
    with pytest.raises(WrongState):
        store.write(lambda s: s.certificates.issue([records.certificate(request)], ["none"]))
    with store.read() as session:
        assert list(session.certificates.iterate()) == []


def test_an_abandoned_serial_stays_taken_and_known(store: SqlStore) -> None:
    request = records.request()
    intent = records.intent(request)
    store.write(lambda s: s.certificates.intend([intent]))
    store.write(lambda s: s.certificates.abandon(intent.id, NOW))
    with pytest.raises(NotFound):
        store.write(lambda s: s.certificates.abandon(intent.id, NOW))
    with pytest.raises(WrongState):
        store.write(lambda s: s.certificates.issue([records.certificate(request)], [intent.id]))
    with pytest.raises(Conflict):
        store.write(lambda s: s.certificates.intend([replace(intent, id="again")]))
    with store.read() as session:
        assert session.certificates.intents() == []
        known = session.certificates.status("issuing", intent.serial)
        assert known == (CertificateStatus.ABANDONED, None)


def test_revoked_lists_one_issuer_by_serial_while_unexpired(store: SqlStore) -> None:
    made = [
        records.certificate(records.request(authority=a), not_after=NOW + e)
        for a, e in (("issuing", 10), ("issuing", 20), ("issuing", 5), ("backup", 20))
    ]
    reason = RevocationReason.superseded
    for c in made:
        intent = records.intent(records.request(serial=c.serial, authority=c.authority))
        store.write(lambda s, i=intent: s.certificates.intend([i]))
        store.write(lambda s, c=c, i=intent: s.certificates.issue([c], [i.id]))
        store.write(
            lambda s, c=c: s.certificates.set_status(
                c.id, [CertificateStatus.VALID], CertificateStatus.REVOKED,
                revoked_at=NOW, reason=reason, invalidity_date=NOW - 9,
            )
        )  # fmt: skip
    with store.read() as session:
        listed = list(session.certificates.revoked("issuing", NOW + 10))
    assert [e.serial for e in listed] == sorted(c.serial for c in made[:2])
    assert {(e.revoked_at, e.reason, e.invalidity_date) for e in listed} == {(NOW, reason, NOW - 9)}


def test_crl_numbers_only_rise(store: SqlStore) -> None:
    assert [store.write(lambda s: s.crls.next_number("a")) for _ in range(3)] == [1, 2, 3]
    assert store.write(lambda s: s.crls.next_number("b")) == 1
    crl = CrlRecord("a", 40, NOW, NOW + 9, 2, b"\x30\x00")
    store.write(lambda s: s.crls.add(crl))
    for number in (40, 39):
        with pytest.raises(Conflict):
            store.write(lambda s, n=number: s.crls.add(replace(crl, number=n)))
    assert store.write(lambda s: s.crls.next_number("a")) == 41
    with store.read() as session:
        assert session.crls.latest("a") == crl
        assert session.crls.latest("b") is None


def test_a_wish_for_a_crl_made_while_one_is_signed_survives_it(store: SqlStore) -> None:
    for at in (50, 50, 61, 400):
        store.write(lambda s, at=at: s.crls.mark_due("a", at))
    with store.read() as session:
        assert session.crls.due(49) == []
        assert session.crls.due(50) == ["a"]
    store.write(lambda s: s.crls.clear_due("a", 60))
    with store.read() as session:
        assert session.crls.due(60) == []
        assert session.crls.due(61) == ["a"]


def test_tokens_and_client_certificates(store: SqlStore) -> None:
    user = User(
        "ada",
        "Ada",
        "a@x",
        frozenset(),
        frozenset(),
        RoleClass.GENERAL,
        True,
        "$argon2",
        3,
        NOW,
        NOW,
    )
    token = ApiToken(
        "t1", "ada", "laptop", "a" * 64, frozenset({Permission.CRL_ISSUE}), NOW, NOW + 9
    )
    bound = ClientCertificate("ada", "b" * 64, "CN=ada", NOW + 9, NOW)
    with pytest.raises(Conflict):
        store.write(lambda s: s.identities.add_token(token))  # no such account
    store.write(lambda s: s.identities.add_user(user))
    store.write(lambda s: s.identities.add_token(token))
    store.write(
        lambda s: s.identities.add_token(replace(token, id="t2", sha256="c" * 64, scopes=None))
    )
    store.write(lambda s: s.identities.add_client_certificate(bound))
    store.write(
        lambda s: (s.identities.touch_token("t1", NOW + 1), s.identities.revoke_token("t1"))
    )
    with store.read() as session:
        assert session.identities.user("ada") == user
        used = replace(token, last_used_at=NOW + 1, revoked=True)
        assert session.identities.token("a" * 64) == used
        assert [t.scopes for t in session.identities.tokens("ada")] == [token.scopes, None]
        assert session.identities.client_certificate("b" * 64) == bound
        assert session.identities.client_certificates("ada") == [bound]
    store.write(lambda s: s.identities.delete_client_certificate("b" * 64))
    store.write(lambda s: s.identities.delete_user("ada"))
    with store.read() as session:
        assert session.identities.token("a" * 64) is None


def test_idempotency_keys_are_taken_once(store: SqlStore) -> None:
    store.write(lambda s: s.idempotency.remember("ada", "k", "h", "{}", NOW))
    with pytest.raises(Conflict):
        store.write(lambda s: s.idempotency.remember("ada", "k", "h2", "{}", NOW))
    store.write(lambda s: s.idempotency.remember("bob", "k", "h2", "[]", NOW))
    with store.read() as session:
        assert session.idempotency.recall("ada", "k") == ("h", "{}")
        assert session.idempotency.recall("ada", "other") is None


def test_lint_results(store: SqlStore) -> None:
    made = [records.certificate(records.request()) for _ in range(3)]
    for c in made:
        intent = records.intent(records.request(serial=c.serial))
        store.write(lambda s, i=intent: s.certificates.intend([i]))
        store.write(lambda s, c=c, i=intent: s.certificates.issue([c], [i.id]))
    store.write(lambda s: s.lint.add(made[0].id, "pkilint", ["error a: b", "warning c: d"], NOW))
    store.write(lambda s: s.lint.add(made[0].id, "own", [], NOW))
    with store.read() as session:
        ids = [c.id for c in made]
        assert session.lint.unlinted("pkilint", "", 10) == Unlinted(made[1:], ids[2], end=True)
        assert session.lint.unlinted("other", "", 2) == Unlinted(made[:2], ids[1], end=False)
        assert session.lint.unlinted("other", ids[1], 2) == Unlinted(made[2:], ids[2], end=True)
        assert session.lint.unlinted("other", ids[2], 2) == Unlinted([], ids[2], end=True)
        pkilint = LintResult("pkilint", NOW, ("error a: b", "warning c: d"))
        assert session.lint.for_certificate(made[0].id) == [LintResult("own", NOW, ()), pkilint]
        assert session.lint.for_certificate(made[1].id) == []


def test_the_audit_trail(store: SqlStore) -> None:
    first = replace(records.event("a.done", "x", n=1, t=None, l=["ü"]), outcome=Outcome.FAILURE)
    assert store.write(lambda s: s.audit.append([first], 5000)) == 0
    second = [replace(records.event("b.done", "y"), actor="olga")] * 2
    assert store.write(lambda s: s.audit.append(second, 4000)) == 1  # the clock went back
    assert store.write(lambda s: s.audit.append([], 9000)) == 3
    store.write(lambda s: s.audit.append([first], 9500))
    with store.read() as session:
        trail = session.audit.records(0, 10)
        assert [(r.seq, r.time_ms) for r in trail] == [(0, 5000), (1, 5000), (2, 5000), (3, 9500)]
        assert trail[0].event == first
        for record in trail:
            assert record.leaf == domain_audit.leaf_bytes(record.seq, record.time_ms, record.event)
            assert record.hash == domain_audit.leaf_hash(record.leaf)
        assert session.audit.size() == 4

        def found(**where: object) -> list[int]:
            return [r.seq for r in session.audit.find(**where)]  # type: ignore[arg-type]

        assert found() == [3, 2, 1, 0]
        assert found(limit=2, before_seq=3) == [2, 1]
        assert found(actor="olga") == found(action="b.done") == found(subject_id="y") == [2, 1]
        assert found(since_ms=5001) == [3]
        assert found(until_ms=9499) == [2, 1, 0]
        assert found(since_ms=5000, until_ms=5000, actor="rita") == [0]
        assert found(since_ms=9501) == found(until_ms=4999) == []


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), _VALUES, max_size=4))
def test_the_fast_leaf_encoder_is_the_domains(
    action: str, actor: str, subject: str, details: dict[str, object]
) -> None:
    event = AuditEvent(action, actor, "token", "::1", subject, details=details)
    assert audit.leaf_bytes(7, 8, event) == domain_audit.leaf_bytes(7, 8, event)


@pytest.mark.parametrize("field", [{"created_at": 2**70}, {"subject": "CN=\ud800"}])
def test_values_no_database_holds_are_the_requesters_fault(
    store: SqlStore, field: dict[str, object]
) -> None:
    for batch in ([records.request(**field)], [records.request(), records.request(**field)]):
        with pytest.raises(BadRequest):
            store.write(lambda s, b=batch: s.requests.add(b))
