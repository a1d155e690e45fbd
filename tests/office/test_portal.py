"""What strangers may do, with a real record, a real signer and what openssl makes."""

import plistlib
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.algorithms import key_family
from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.identity import SYSTEM, Principal, anonymous
from chancery.domain.names import GeneralName, NameKind, Syntax
from chancery.domain.portal import RevocationRequestState
from chancery.domain.profile import SanRule
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import CertificateRequest, RequestState, Submission
from chancery.domain.shipped import PROFILES
from chancery.services.portal import signing
from chancery.services.portal.check import Checked, Severity
from chancery.services.portal.comparison import Fate
from chancery.services.portal.pickup import KeyDisposal
from chancery.services.portal.recipes import recipe
from chancery.services.portal.wishes import wish
from chancery.wire.statement import decode_signature
from services.csr import p256_csr

Who = Callable[[str], Principal]
STRANGER = anonymous("198.51.100.7")
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def csr_of(where: Path, *options: str, key: str = "ec -pkeyopt ec_paramgen_curve:P-256") -> bytes:
    """What openssl makes of *options*; its key stays in *where*/key.pem."""
    command = ["openssl", "req", "-new", "-newkey", *key.split(), "-nodes", "-utf8"]
    command += ["-keyout", str(where / "key.pem"), "-out", str(where / "csr.pem"), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return (where / "csr.pem").read_bytes()


def look(office: Office, csr: bytes, profile: str = "tls-server", **fields: object) -> Checked:
    return office.portal.checks.check(
        STRANGER, replace(Submission(profile, ra="main", csr=csr), **fields)
    )


def rules(checked: Checked) -> set[tuple[str, str | None]]:
    return {(finding.severity.value, finding.rule) for finding in checked.findings}


def issued(
    office: Office, who: Who, submission: Submission
) -> tuple[CertificateRequest, str, CertificateRecord]:
    """Submitted by a stranger, approved by two officers."""
    code, (outcome,) = office.registration.submit_together(STRANGER, [submission])
    assert not isinstance(outcome, errors.CAError), outcome
    office.decisions.approve(who("officer1"), outcome.request.id)
    office.decisions.approve(who("officer2"), outcome.request.id)
    followed = office.portal.following.show(STRANGER, outcome.request.id, code)
    assert followed.certificate is not None
    return followed.request, code, followed.certificate


# Looking before submitting


def test_offers_are_what_strangers_may_ask_for(office: Office) -> None:
    offers = office.portal.offers.all(STRANGER)
    assert {offer.ra.name for offer in offers} == {"main"}
    assert "tls-server" in {offer.profile.name for offer in offers}
    found = office.portal.offers.find(STRANGER, "tls-server")
    assert (found.key, found.approvals, found.authority.name) == (
        "main/tls-server",
        2,
        "issuing-ca",
    )
    with pytest.raises(errors.NotFound) as caught:
        office.portal.offers.find(STRANGER, "subordinate-ca")
    assert caught.value.rule == "portal.profile"
    with pytest.raises(errors.NotFound):
        office.portal.offers.find(STRANGER, "tls-server", "automatic")


def test_a_fitting_request(office: Office, tmp_path: Path) -> None:
    csr = csr_of(
        tmp_path,
        *("-subj", "/O=Example/title=Dr./CN=www.example.org"),
        *("-addext", "subjectAltName=DNS:www.example.org,IP:192.0.2.1"),
        *("-addext", "keyUsage=keyCertSign", "-addext", "basicConstraints=CA:TRUE"),
    )
    checked = look(office, csr)
    assert checked.fit
    assert checked.findings == ()
    assert (checked.ra, checked.authority, checked.approvals) == ("main", "issuing-ca", 2)
    assert checked.request is not None
    assert checked.certificate is not None
    assert checked.request["subject"] == ["O=Example", "title=Dr.", "CN=www.example.org"]
    assert checked.request["signature_algorithm"] == "ecdsa-with-SHA256"
    assert "serial" not in checked.certificate
    fates = {(line.what, line.fate) for line in checked.lines}
    assert {
        ("subject.O", Fate.KEPT),
        ("subject.title", Fate.DROPPED),
        ("name", Fate.KEPT),
        ("keyUsage", Fate.CHANGED),
        ("basicConstraints", Fate.CHANGED),
        ("extendedKeyUsage", Fate.ADDED),
    } <= fates
    usage = next(line for line in checked.lines if line.what == "keyUsage")
    assert (usage.asked, usage.becomes) == ("keyCertSign", "digitalSignature")
    # What was shown is what is issued: nothing was written meanwhile.
    with office.store.read() as session:
        assert session.requests.find is not None
    again = look(office, csr)
    assert again.lines == checked.lines


def test_every_fault_is_told_with_its_remedy(office: Office, tmp_path: Path) -> None:
    weak = csr_of(
        tmp_path,
        *("-subj", "/CN=nowhere"),
        *(
            "-addext",
            "subjectAltName=DNS:*.example.org,email:a@example.org,URI:https://example.org/",
        ),
        key="rsa:1024",
    )
    checked = look(office, weak)
    assert not checked.fit
    assert checked.certificate is None
    assert {
        ("error", "rsa.size"),
        ("error", "name.wildcard"),
        ("error", "name.kind"),
        ("note", "name.wildcard"),
    } <= rules(checked)
    kinds = [finding for finding in checked.findings if finding.rule == "name.kind"]
    assert len(kinds) == 2  # each name by itself
    assert all(f.remedy for f in checked.findings if f.severity is ERROR), checked.findings
    assert len(checked.findings) == len(set(checked.findings))


def test_a_bad_key_hides_no_fault_of_the_names(office: Office, tmp_path: Path) -> None:
    checked = look(office, csr_of(tmp_path, "-subj", "/OU=Web", key="rsa:1024"))
    assert rules(checked) == {("error", "rsa.size"), ("error", "name.server-identity")}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "pem.missing"),
        (b"hello", "pem.missing"),
        (b"\x30\x03\x02\x01\x00", None),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "pem.label"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "pem.private-key"),
        (b"A" * 70_000, "csr.size"),
    ],
)
def test_what_is_no_request(office: Office, content: bytes, rule: str | None) -> None:
    checked = look(office, content)
    assert (checked.der, checked.request, checked.certificate, checked.fit) == (
        None,
        None,
        None,
        False,
    )
    (finding,) = checked.findings
    assert finding.severity is ERROR
    assert rule in (None, finding.rule)


HOSTILE = [
    "www.example.org\u202egro.elpmaxe",
    "<script>alert(1)</script>",
    "'; DROP TABLE request; --",
    "{{ 7*7 }}",
    "a" * 60 + "\u0301" * 4,
    "\u2066x\u2069\ufeff",
    "${jndi:ldap://x}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_subjects_are_decoded_as_they_are(
    office: Office, tmp_path: Path, text: str
) -> None:
    csr = csr_of(tmp_path, "-subj", "/O=" + text.replace("/", "\\/") + "/CN=www.example.org")
    checked = look(office, csr)
    assert checked.request is not None
    assert f"O={text}" in checked.request["subject"]  # type: ignore[operator]
    hidden = ("warning", "text.hidden") in rules(checked)
    assert hidden is any(ord(c) in {0x202E, 0x2066, 0x2069, 0xFEFF, 0x301} for c in text)


def test_remarks(office: Office, tmp_path: Path) -> None:
    config = tmp_path / "openssl.cnf"
    config.write_text(
        "[req]\nprompt=no\ndistinguished_name=dn\nattributes=at\n"
        "[dn]\nCN=xn--bcher-kva.example.org\n[at]\nchallengePassword=secret123\n"
    )
    csr = csr_of(
        tmp_path, "-config", str(config), "-addext", "subjectAltName=DNS:xn--bcher-kva.example.org"
    )
    checked = look(office, csr)
    assert checked.fit
    assert rules(checked) == {("warning", "csr.challenge-password"), ("note", "name.idn")}


def test_a_broken_extension_spoils_only_itself(office: Office, tmp_path: Path) -> None:
    csr = csr_of(
        tmp_path,
        *("-subj", "/CN=www.example.org", "-addext", "subjectAltName=DNS:www.example.org"),
        *("-addext", "2.5.29.15=DER:0500", "-addext", "1.2.3.4=DER:0403616263"),
    )
    checked = look(office, csr)
    assert checked.request is not None
    values = {one["oid"]: one["value"] for one in checked.request["extensions"]}  # type: ignore[attr-defined]
    assert values["2.5.29.15"] == {"der": "0500"}
    assert values["1.2.3.4"] == {"der": "0403616263"}
    assert values["2.5.29.17"] == ["dns:www.example.org"]
    assert checked.fit


def test_twins_and_blocked_keys_are_known_beforehand(office: Office) -> None:
    csr = p256_csr("twin.example.org").encode()
    assert look(office, csr).fit
    office.registration.submit_together(STRANGER, [Submission("tls-server", ra="main", csr=csr)])
    checked = look(office, csr)
    assert rules(checked) == {("error", "request.duplicate")}
    assert not checked.fit


def test_a_check_answers_strangers_only_for_what_is_public(office: Office) -> None:
    csr = p256_csr("x.example.org").encode()
    checked = office.portal.checks.check(
        STRANGER, Submission("tls-server", ra="automatic", csr=csr)
    )
    assert not checked.fit
    assert look(office, csr, profile="none").findings[0].rule == "profile.known"


def test_the_line_makes_what_the_profile_takes(office: Office, tmp_path: Path) -> None:
    """A profile with domains, networks and a required attribute: its example passes its own check."""
    profile = replace(
        next(p for p in PROFILES if p.name == "tls-server"),
        name="intranet",
        key_algorithms=("ec-p384", "rsa"),
        san=(
            SanRule(NameKind.DNS, required=True, suffixes=(".corp.example",)),
            SanRule(NameKind.IP, required=True, networks=("10.20.0.0/16",)),
        ),
        dn_profile="intranet",
    )
    rule = AttributeRule("2.5.4.10", Syntax.UTF8, ValueSource.CSR, required=True)
    common = AttributeRule("2.5.4.3", Syntax.UTF8, ValueSource.CSR)
    role = AttributeRule("2.5.4.12", Syntax.UTF8, ValueSource.REQUESTER, required=True)
    office.profiles.dn_put(SYSTEM, DnProfile("intranet", (rule, common, role)))
    office.profiles.put(SYSTEM, profile)
    office.ras.put(
        SYSTEM,
        RegistrationAuthority(
            "intranet", ("intranet",), ("issuing-ca",), "officers", 1, anonymous=True
        ),
    )
    offer = office.portal.offers.find(STRANGER, "intranet")
    assert [rule.oid for rule in offer.asked] == ["2.5.4.12"]
    ready = recipe(wish(offer.profile, offer.dn_profile))
    subprocess.run(["sh", "-ec", ready.openssl], cwd=tmp_path, check=True, capture_output=True)
    csr = (tmp_path / ready.csr_file).read_bytes()
    submission = Submission("intranet", ra="intranet", csr=csr, subject=(("title", "Web"),))
    checked = office.portal.checks.check(STRANGER, submission)
    assert checked.fit, checked.findings
    code, (outcome,) = office.registration.submit_together(STRANGER, [submission])
    assert not isinstance(outcome, errors.CAError), outcome
    assert outcome.request.state is RequestState.PENDING
    assert [name.text for name in outcome.request.names] == ["dns:www.corp.example", "ip:10.20.0.1"]
    office.changes.withdraw(STRANGER, outcome.request.id, code)
    office.ras.delete(SYSTEM, "intranet")


# Coming back


def test_one_code_opens_all_that_came_at_once(office: Office) -> None:
    good = [
        Submission("tls-server", ra="main", csr=p256_csr(f"b{n}.example.org").encode())
        for n in range(3)
    ]
    bad = Submission("tls-server", ra="main", csr=b"nothing")
    code, outcomes = office.registration.submit_together(STRANGER, [good[0], bad, *good[1:]])
    assert isinstance(outcomes[1], errors.BadCSR)
    ids = [o.request.id for o in outcomes if not isinstance(o, errors.CAError)]
    spoken = code.lower().replace("-", " ").replace("o", "0").replace("i", "1").replace("b", "8")
    for written in (code, code.replace("-", ""), spoken):
        assert {one.id for one in office.portal.following.requests(STRANGER, written)} == set(ids)
    followed = office.portal.following.show(STRANGER, ids[0], code)
    assert (followed.certificate, followed.approvals, followed.wishes) == (None, 0, ())
    for wrong in ("AAAA-AAAA-AAAA-AAAA", "", "\ud800", "x" * 5000):
        with pytest.raises(errors.NotFound) as caught:
            office.portal.following.requests(STRANGER, wrong)
        assert caught.value.rule == "request.code"
    with pytest.raises(errors.NotFound):
        office.portal.following.show(STRANGER, ids[0], "AAAA-AAAA-AAAA-AAAA")
    with pytest.raises(errors.NotFound):
        office.portal.following.show(STRANGER, ids[0], None)


def test_a_key_made_here_is_handed_out_for_a_while(office: Office, who: Who) -> None:
    submission = Submission(
        "user", ra="main", server_key="ec-p256", subject=(("CN", "Rita"),),
        names=(GeneralName(NameKind.EMAIL, "rita@example.org"),),
    )  # fmt: skip
    request, code, _ = issued(office, who, submission)
    words = "correct horse battery"
    for _ in range(2):
        data = office.delivery.download(STRANGER, request.id, "p12", code, words).data
        key, certificate, _ = pkcs12.load_key_and_certificates(data, words.encode())
        assert key is not None
        assert certificate is not None
        assert key_family(key.public_key()) == "ec-p256"
    followed = office.portal.following.show(STRANGER, request.id, code)
    assert followed.pickup is not None
    assert followed.pickup.fetches == 2
    assert KeyDisposal(office.store, office.vault, office.clock, 3600).run() == 0
    assert KeyDisposal(office.store, office.vault, office.clock, -1).run() == 1
    assert KeyDisposal(office.store, office.vault, office.clock, -1).run() == 0
    with pytest.raises(errors.WrongState) as caught:
        office.delivery.download(STRANGER, request.id, "p12", code, words)
    assert caught.value.rule == "pkcs12.window"
    with pytest.raises(errors.NotFound):
        office.vault.key(request.server_key_id or "")
    assert office.delivery.download(STRANGER, request.id, "chain", code).data.count(b"BEGIN") == 3


# Revoking


def signature(where: Path, line: str, family: str) -> bytes:
    """As a holder makes it: the command that the portal shows, run as it stands."""
    script = signing.command(line, family, "key.pem")
    done = subprocess.run(
        ["sh", "-ec", script], cwd=where, check=True, capture_output=True, timeout=60
    )
    return done.stdout


@pytest.mark.parametrize(
    ("family", "key"),
    [
        ("rsa-2048", "rsa:2048"),
        ("ec-p256", "ec -pkeyopt ec_paramgen_curve:P-256"),
        ("ec-p384", "ec -pkeyopt ec_paramgen_curve:P-384"),
        ("ec-p521", "ec -pkeyopt ec_paramgen_curve:P-521"),
        ("ed25519", "ed25519"),
    ],
)
def test_whoever_holds_the_key_revokes_at_once(
    office: Office, who: Who, tmp_path: Path, family: str, key: str
) -> None:
    csr = csr_of(tmp_path, "-subj", "/CN=www.example.org", key=key)
    _, _, record = issued(office, who, Submission("tls-server", ra="main", csr=csr))
    revocation = office.portal.revocation
    challenge = revocation.challenge(
        STRANGER, RevocationReason.keyCompromise, certificate=record.der
    )
    assert challenge.text.startswith(f"revoke issuing-ca/{record.serial} for keyCompromise until ")
    signed = signature(tmp_path, challenge.text, family)

    proof = decode_signature(signed)
    for line, wrong in (
        (challenge.text, proof[:-1] + bytes([proof[-1] ^ 1])),
        (challenge.text, b"x"),
    ):
        with pytest.raises(errors.BadRequest) as caught:
            revocation.prove(STRANGER, line, wrong)
        assert caught.value.rule == "revocation.signature"
    with pytest.raises(errors.NotFound):
        revocation.prove(STRANGER, challenge.text.replace("keyCompromise", "superseded"), proof)
    revoked = revocation.prove(STRANGER, challenge.text + "\n", proof)
    assert (revoked.status, revoked.reason) == (
        CertificateStatus.REVOKED,
        RevocationReason.keyCompromise,
    )
    with pytest.raises(errors.NotFound) as used:
        revocation.prove(STRANGER, challenge.text, proof)
    assert used.value.rule == "revocation.challenge"
    with pytest.raises(errors.AlreadyRevoked):
        revocation.challenge(STRANGER, RevocationReason.superseded, serial=record.serial)
    with office.store.read() as session:
        assert session.certificates.keys_blocked([record.key_sha256])
        (leaf,) = session.audit.find(
            subject_id=f"issuing-ca/{record.serial}", action="certificate.revoked"
        )
        assert (leaf.event.actor, leaf.event.details["proof"]) == ("anonymous", "key")
        assert leaf.event.details["statement"] == challenge.text
        assert "issuing-ca" in session.crls.due(office.clock.s() + 2)


def test_challenges_end_and_are_for_holders(office: Office, who: Who, tmp_path: Path) -> None:
    csr = csr_of(tmp_path, "-subj", "/CN=www.example.org")
    _, _, record = issued(office, who, Submission("tls-server", ra="main", csr=csr))
    revocation = office.portal.revocation
    for reason in (RevocationReason.certificateHold, RevocationReason.cACompromise):
        with pytest.raises(errors.BadRequest) as caught:
            revocation.challenge(STRANGER, reason, serial=record.serial)
        assert caught.value.rule == "revocation.reason"
    with pytest.raises(errors.NotFound):
        revocation.challenge(STRANGER, RevocationReason.superseded, certificate=b"\x30\x00")
    with pytest.raises(errors.BadRequest):
        revocation.challenge(STRANGER, RevocationReason.superseded)
    with pytest.raises(errors.NotFound):
        revocation.challenge(STRANGER, RevocationReason.superseded, serial="1234")
    challenge = revocation.challenge(STRANGER, RevocationReason.superseded, serial=record.serial)
    with office.store.read() as session:
        assert session.certificates.get(record.id).status is CertificateStatus.VALID  # type: ignore[union-attr]
    old = replace(challenge, text="old " + challenge.text, expires_at=office.clock.s() - 1)
    office.store.write(lambda s: s.portal.add_challenge(old))
    with pytest.raises(errors.NotFound):
        revocation.prove(STRANGER, old.text, b"x")


def test_who_knows_the_code_asks_and_an_officer_answers(office: Office, who: Who) -> None:
    def made(name: str) -> tuple[CertificateRequest, str, CertificateRecord]:
        return issued(office, who, Submission("tls-server", ra="main", csr=p256_csr(name).encode()))

    wishes, reason = office.portal.wishes, RevocationReason.superseded
    request, code, record = made("one.example.org")
    with pytest.raises(errors.NotFound):
        wishes.ask(STRANGER, request.id, "AAAA-AAAA-AAAA-AAAA", reason)
    wish_ = wishes.ask(STRANGER, request.id, code, reason, "replaced by two")
    assert wish_.state is RevocationRequestState.OPEN
    with pytest.raises(errors.AlreadyExists):
        wishes.ask(STRANGER, request.id, code, reason)
    with pytest.raises(errors.NotAuthenticated):
        wishes.find(STRANGER)
    for name in ("requester", "auditor", "admin"):
        with pytest.raises(errors.NotPermitted):
            wishes.accept(who(name), wish_.id)
    assert wish_ in wishes.find(who("officer1"), RevocationRequestState.OPEN)
    refused = wishes.refuse(who("officer1"), wish_.id, "we do not know you")
    assert (refused.state, refused.decided_by) == (RevocationRequestState.REFUSED, "officer1")
    followed = office.portal.following.show(STRANGER, request.id, code)
    assert followed.wishes[0].answer == "we do not know you"

    again = wishes.ask(STRANGER, request.id, code, RevocationReason.cessationOfOperation)
    accepted = wishes.accept(who("operator"), again.id)
    assert accepted.state is RevocationRequestState.ACCEPTED
    with office.store.read() as session:
        found = session.certificates.get(record.id)
        assert found is not None
        assert (found.status, found.reason) == (
            CertificateStatus.REVOKED,
            RevocationReason.cessationOfOperation,
        )
    with pytest.raises(errors.WrongState):
        wishes.refuse(who("officer1"), again.id, "no")
    with pytest.raises(errors.AlreadyRevoked):
        wishes.ask(STRANGER, request.id, code, reason)

    # Revoked by somebody else meanwhile: the wish gets its answer all the same.
    request, code, record = made("two.example.org")
    open_wish = wishes.ask(STRANGER, request.id, code, reason)
    office.certificates.revoke(who("officer1"), record.serial, RevocationReason.keyCompromise)
    assert wishes.accept(who("officer1"), open_wish.id).answer == "was revoked already"

    pending = office.registration.submit_together(
        STRANGER, [Submission("tls-server", ra="main", csr=p256_csr("p.example.org").encode())]
    )
    (outcome,) = pending[1]
    assert not isinstance(outcome, errors.CAError)
    with pytest.raises(errors.WrongState):
        wishes.ask(STRANGER, outcome.request.id, pending[0], reason)


# Trusting


def test_what_the_world_needs_to_trust_us(office: Office, tmp_path: Path) -> None:
    authorities = office.portal.trust.authorities()
    assert [(ca.name, ca.depth) for ca in authorities] == [("root-ca", 0), ("issuing-ca", 1)]
    root, issuing = (ca.keys[0] for ca in authorities)
    assert (root.root, issuing.root) == (True, False)
    assert issuing.crl_url.endswith("/crl/issuing-ca.crl")
    assert issuing.crl is not None
    (tmp_path / "roots.pem").write_bytes(office.portal.trust.bundle("pem").data)
    (tmp_path / "issuing.pem").write_bytes(
        office.portal.trust.certificate("issuing-ca", "pem").data
    )
    judged = subprocess.run(
        ["openssl", "verify", "-CAfile", "roots.pem", "issuing.pem"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.stdout == "issuing.pem: OK\n", judged.stderr
    printed = subprocess.run(
        ["openssl", "x509", "-in", "roots.pem", "-noout", "-fingerprint", "-sha256"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.partition("=")[2].strip().replace(":", "").lower() == root.sha256
    p7 = subprocess.run(
        ["openssl", "pkcs7", "-inform", "DER", "-print_certs"],
        input=office.portal.trust.bundle("p7").data,
        capture_output=True,
        check=True,
    )
    assert p7.stdout.count(b"BEGIN CERTIFICATE") == 1
    profile = plistlib.loads(office.portal.trust.bundle("mobileconfig").data)
    (payload,) = profile["PayloadContent"]
    assert x509.load_der_x509_certificate(payload["PayloadContent"]).fingerprint is not None
    assert (
        office.portal.trust.bundle("mobileconfig").data
        == office.portal.trust.bundle("mobileconfig").data
    )
    for form in ("der", "chain", "p7"):
        assert office.portal.trust.certificate("issuing-ca", form).data
    with pytest.raises(errors.BadRequest):
        office.portal.trust.bundle("jks")
    with pytest.raises(errors.NotFound):
        office.portal.trust.certificate("none", "pem")
