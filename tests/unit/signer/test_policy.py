"""One red test for each of the signer's own rules."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import signing as s
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import CAError, SignerRefused, Unavailable
from chancery.domain.keys import CertificateOrder, KeyPurpose
from chancery.signer import journal, keypair
from chancery.signer.service import Signer
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import open_vault
from chancery.wire import der

ROOT = s.name("Root")
SERVER = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
ECDSA = SignatureAlgorithm.ECDSA_SHA256


def usage(**bits: bool) -> x509.KeyUsage:
    every = dict.fromkeys(
        [
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
            "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        ],
        False,
    )  # fmt: skip
    return x509.KeyUsage(**(every | bits))


def refused(signer: Signer, order: CertificateOrder) -> str | None:
    """The rule that refuses *order*, with a good one beside it that must not suffer."""
    good = s.order(order.key_id, s.leaf(ROOT))
    answer, beside = signer.sign_certificates([order, good])
    assert isinstance(beside, bytes)
    assert isinstance(answer, SignerRefused)
    return answer.rule


def test_signs_what_verifies(signer: Signer) -> None:
    _, root = s.make_root(signer, "root", "Root")
    order = s.order("root", s.leaf(ROOT, ca=False))

    (signature,) = signer.sign_certificates([order])

    assert isinstance(signature, bytes)
    made = x509.load_der_x509_certificate(s.certificate(order.tbs, ECDSA, signature))
    made.verify_directly_issued_by(x509.load_der_x509_certificate(root))


@pytest.mark.parametrize(
    ("rule", "tbs"),
    [
        ("signer.issuer", lambda: s.leaf(s.name("Other"))),
        ("signer.ca", lambda: s.leaf(ROOT, ca=True)),
        (
            "signer.key-usage",
            lambda: s.leaf(ROOT, extensions=((usage(key_cert_sign=True), True),)),
        ),
        ("signer.key-usage", lambda: s.leaf(ROOT, extensions=((usage(crl_sign=True), True),))),
        ("signer.validity", lambda: s.leaf(ROOT, lasting=timedelta(days=3651))),
        ("signer.backdate", lambda: s.leaf(ROOT, start=timedelta(days=-2), lasting=timedelta(9))),
        ("signer.postdate", lambda: s.leaf(ROOT, start=timedelta(days=2))),
        ("signer.expired", lambda: s.leaf(ROOT, lasting=timedelta(minutes=1))),
    ],
)
def test_refuses_content(signer: Signer, rule: str, tbs: Callable[[], bytes]) -> None:
    s.make_root(signer, "root", "Root")
    assert refused(signer, s.order("root", tbs())) == rule


def test_refuses_netscape_ca_bits(signer: Signer) -> None:
    s.make_root(signer, "root", "Root")
    oid = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
    legacy = x509.UnrecognizedExtension(oid, b"\x03\x02\x02\x04")
    tbs = s.leaf(ROOT, extensions=((legacy, False),))
    assert refused(signer, s.order("root", tbs)) == "signer.ca"


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("signer.intent", {"intent_id": ""}),
        ("signer.hash", {"tbs_sha256": "00" * 32}),
        ("signer.serial", {"serial": "1"}),
        ("tbs.algorithm", {"algorithm": SignatureAlgorithm.ECDSA_SHA384}),
        ("signer.approvers", {"approvers": ("",)}),
    ],
)
def test_refuses_an_order_at_odds_with_its_content(
    signer: Signer, rule: str, changes: dict[str, object]
) -> None:
    s.make_root(signer, "root", "Root")
    assert refused(signer, s.order("root", s.leaf(ROOT), **changes)) == rule


def test_refuses_an_algorithm_the_key_does_not_have(signer: Signer) -> None:
    s.make_root(signer, "root", "Root")
    other = SignatureAlgorithm.ECDSA_SHA384
    order = s.order("root", s.with_algorithm(s.leaf(ROOT), other), algorithm=other)
    assert refused(signer, order) == "signer.algorithm"


def test_refuses_an_end_entity_certificate_for_the_ca_key(signer: Signer) -> None:
    _, root = s.make_root(signer, "root", "Root")
    own = x509.load_der_x509_certificate(root).public_key()
    assert refused(signer, s.order("root", s.leaf(ROOT, key=own))) == "signer.own-key"


@pytest.mark.parametrize("ekus", [(), (CLIENT_AUTH,), (s.SERVER_AUTH, CLIENT_AUTH)])
def test_refuses_purposes_outside_the_list(
    signer: Signer, ekus: tuple[x509.ObjectIdentifier, ...]
) -> None:
    s.make_root(signer, "root", "Root", ekus=(SERVER,))
    assert refused(signer, s.order("root", s.leaf(ROOT, ekus=ekus))) == "signer.eku"


def test_refuses_a_serial_seen_before(signer: Signer) -> None:
    s.make_root(signer, "root", "Root")
    first = s.order("root", s.leaf(ROOT, serial=77))
    again = s.order("root", s.leaf(ROOT, serial=77, start=timedelta(minutes=-6)))
    one, two = signer.sign_certificates([first, again])
    assert isinstance(one, bytes)
    assert isinstance(two, SignerRefused)
    assert two.rule == "signer.serial-reuse"
    assert refused(signer, again) == "signer.serial-reuse"


def test_a_refused_serial_is_not_used_up(signer: Signer) -> None:
    s.make_root(signer, "root", "Root")
    assert refused(signer, s.order("root", s.leaf(s.name("Other"), serial=78)))
    (signature,) = signer.sign_certificates([s.order("root", s.leaf(ROOT, serial=78))])
    assert isinstance(signature, bytes)


def test_counts_people_not_spellings(signer: Signer) -> None:
    _, root = s.make_root(signer, "root", "Root")
    signer.bind("root", root, approvals=2)
    twice = s.order("root", s.leaf(ROOT), approvers=("alice", " Alice"))
    two = s.order("root", s.leaf(ROOT), approvers=("alice", "bob"))
    refusal, signature = signer.sign_certificates([twice, two])
    assert isinstance(refusal, SignerRefused)
    assert refusal.rule == "signer.approvals"
    assert isinstance(signature, bytes)


def test_a_renewed_binding_never_loosens(signer: Signer) -> None:
    _, root = s.make_root(signer, "root", "Root", ekus=(SERVER,))
    signer.bind("root", root, approvals=1)
    signer.bind("root", root)  # gives no limits: they stay
    order = s.order("root", s.leaf(ROOT, ekus=(CLIENT_AUTH,)), approvers=("alice",))
    assert isinstance(signer.sign_certificates([order])[0], SignerRefused)
    assert isinstance(signer.sign_certificates([s.order("root", s.leaf(ROOT))])[0], SignerRefused)
    with pytest.raises(SignerRefused) as caught:
        signer.bind("root", root, (SERVER, "1.3.6.1.5.5.7.3.2"))
    assert caught.value.rule == "bind.ekus"


def test_a_binding_keeps_its_subject(signer: Signer) -> None:
    info, _ = s.make_root(signer, "root", "Root")
    key = ec.generate_private_key(ec.SECP256R1())
    tbs = s.ca_tbs("Someone", "Parent", info.spki)
    foreign = s.certificate(tbs, ECDSA, key.sign(tbs, ec.ECDSA(hashes.SHA256())))
    with pytest.raises(SignerRefused) as caught:
        signer.bind("root", foreign)
    assert caught.value.rule == "bind.subject"


def test_a_self_signed_certificate_must_carry_the_keys_own_signature(signer: Signer) -> None:
    info = signer.generate("root", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    tbs = s.ca_tbs("Root", "Root", info.spki)
    forged = s.certificate(tbs, ECDSA, s.THROWAWAY.sign(tbs, ec.ECDSA(hashes.SHA256())))
    with pytest.raises(SignerRefused, match="does not verify"):
        signer.bind("root", forged)


def ca_rule(signer: Signer, key: str, tbs: bytes, *people: str) -> str | None:
    with pytest.raises(SignerRefused) as caught:
        signer.sign_ca_certificate(key, ECDSA, tbs, s.authorise(tbs, *people))
    return caught.value.rule


def test_ca_certificates_need_their_people(signer: Signer) -> None:
    info = signer.generate("root", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY, ca_approvals=2)
    tbs = s.ca_tbs("Root", "Root", info.spki)
    assert ca_rule(signer, "root", tbs, "alice") == "signer.approvals"
    assert ca_rule(signer, "root", tbs, "alice", "ALICE ") == "signer.approvals"
    assert signer.sign_ca_certificate("root", ECDSA, tbs, s.authorise(tbs, "alice", "bob"))
    assert ca_rule(signer, "root", tbs, "alice", "bob") == "signer.serial-reuse"


def test_ca_certificates_stay_below_their_parent(signer: Signer) -> None:
    s.make_root(signer, "root", "Root", path_length=1, ekus=(SERVER,))
    child = s.spki_of(s.LEAF)

    def rule(**changes: object) -> str | None:
        # A day less than the root: the two are made at different seconds.
        wanted: dict[str, object] = {
            "path_length": 0,
            "ekus": (s.SERVER_AUTH,),
            "lasting": timedelta(days=3649),
        }
        return ca_rule(signer, "root", s.ca_tbs("Sub", "Root", child, **(wanted | changes)))  # type: ignore[arg-type]

    assert rule(path_length=1) == "signer.path-length"
    assert rule(path_length=None) == "signer.path-length"
    assert rule(lasting=timedelta(days=4000)) == "signer.validity"
    assert rule(ekus=(CLIENT_AUTH,)) == "signer.eku"
    assert rule(ekus=()) == "signer.eku"
    assert ca_rule(signer, "root", s.ca_tbs("Sub", "Other", child)) == "signer.issuer"
    assert ca_rule(signer, "root", s.leaf(ROOT)) == "signer.not-ca"
    lasting = timedelta(days=3649)
    good = s.ca_tbs("Sub", "Root", child, path_length=0, ekus=(s.SERVER_AUTH,), lasting=lasting)
    assert signer.sign_ca_certificate("root", ECDSA, good, s.authorise(good))


def test_an_authorisation_is_for_one_content_only(signer: Signer) -> None:
    info = signer.generate("root", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    approved = s.ca_tbs("Root", "Root", info.spki)
    with pytest.raises(SignerRefused) as caught:
        signer.sign_ca_certificate(
            "root", ECDSA, s.ca_tbs("Evil", "Evil", info.spki), s.authorise(approved)
        )
    assert caught.value.rule == "signer.hash"


def test_an_unbound_key_signs_nothing_but_itself(signer: Signer) -> None:
    signer.generate("root", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    (answer,) = signer.sign_certificates([s.order("root", s.leaf(ROOT))])
    assert isinstance(answer, SignerRefused)
    assert answer.rule == "signer.unbound"
    other = s.ca_tbs("Root", "Root", s.spki_of(s.LEAF))
    assert ca_rule(signer, "root", other) == "signer.unbound"


@pytest.mark.parametrize("purpose", [KeyPurpose.OCSP, KeyPurpose.SUBJECT])
def test_only_authority_keys_sign_certificates(signer: Signer, purpose: KeyPurpose) -> None:
    info = signer.generate("key", KeyAlgorithm.EC_P256, purpose)
    (answer,) = signer.sign_certificates([s.order("key", s.leaf(ROOT))])
    assert isinstance(answer, SignerRefused)
    assert answer.rule == "signer.purpose"
    assert ca_rule(signer, "key", s.ca_tbs("Root", "Root", info.spki)) == "signer.purpose"


def checkpoint(size: int, root: bytes = b"\1" * 32, origin: str = "ca.example/audit") -> bytes:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def test_checkpoints_only_grow(signer: Signer) -> None:
    signer.generate("audit", KeyAlgorithm.ED25519, KeyPurpose.AUDIT)
    first = signer.sign_checkpoint("audit", checkpoint(5))
    assert signer.sign_checkpoint("audit", checkpoint(5)) == first
    signer.sign_checkpoint("audit", checkpoint(9))
    for text, rule in [
        (checkpoint(8), "signer.checkpoint-size"),
        (checkpoint(9, b"\2" * 32), "signer.checkpoint-fork"),
        (checkpoint(10, origin="other.example"), "signer.origin"),
        (b"ca.example/audit\n010\n" + b"A" * 43 + b"=\n", "signer.checkpoint"),
        (checkpoint(10)[:-1], "signer.checkpoint"),
        (checkpoint(10) + b"\n", "signer.checkpoint"),
        (s.leaf(ROOT), "signer.checkpoint"),
    ]:
        with pytest.raises(SignerRefused) as caught:
            signer.sign_checkpoint("audit", text)
        assert caught.value.rule == rule


def test_the_number_of_logs_is_bounded(signer: Signer) -> None:
    for number in range(33):
        signer.generate(f"audit-{number}", KeyAlgorithm.ED25519, KeyPurpose.AUDIT)
        if number < 32:
            signer.sign_checkpoint(f"audit-{number}", checkpoint(1))
    with pytest.raises(SignerRefused, match="32 logs"):
        signer.sign_checkpoint("audit-32", checkpoint(1))
    assert signer.sign_checkpoint("audit-0", checkpoint(2))


def test_no_structure_passes_for_another(signer: Signer) -> None:
    """A key that signs one kind must not be tricked into another through the wrong call."""
    s.make_root(signer, "root", "Root")
    tbs, ca = s.leaf(ROOT), s.ca_tbs("Sub", "Root", s.spki_of(s.LEAF))
    csr = x509.CertificateSigningRequestBuilder().subject_name(ROOT)
    info_der = csr.sign(s.THROWAWAY, hashes.SHA256()).tbs_certrequest_bytes
    for data in (tbs, ca, info_der):
        for sign in (signer.sign_csr, signer.sign_crl, signer.sign_ocsp):
            with pytest.raises(SignerRefused):
                sign("root", ECDSA, data)


def test_refusals_are_on_record(signer: Signer, home: Path) -> None:
    s.make_root(signer, "root", "Root")
    refused(signer, s.order("root", s.leaf(s.name("Other"))))
    found = [e for e in journal.read(home / "journal") if e.operation == "refused"]
    assert [e.detail["rule"] for e in found] == ["signer.issuer"]


@pytest.fixture(scope="module")
def lasting_signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    home = tmp_path_factory.mktemp("signer")
    s.SignerProcess.create(home)
    opened = open_vault(home / "vault", KeyFile(home / "unseal.key"))
    signer = Signer(opened, journal.Journal(home / "journal"))
    s.make_root(signer, "root", "Root")
    return signer


def set_basic_constraints(tbs: bytes, value: bytes) -> bytes:
    """Put *value* where the leaf's basicConstraints value is, lengths mended."""
    outer = der.Reader(der.single(tbs, der.SEQUENCE)[1])
    parts = []
    while outer:
        tag, content, raw = outer.read()
        if tag == 0xA3:
            inner = der.Reader(der.single(content, der.SEQUENCE)[1])
            mended = []
            while inner:
                _, one, whole = inner.read()
                oid = der.oid("2.5.29.19")
                if one.startswith(oid):
                    whole = der.sequence(oid, der.octet_string(value))
                mended.append(whole)
            raw = der.explicit(3, der.sequence(*mended))
        parts.append(raw)
    return der.sequence(*parts)


BOOLEANS = st.sampled_from(
    [b"", b"\x01\x01\xff", b"\x01\x01\x00", b"\x01\x01\x01", b"\x01\x02\xff\xff", b"\x02\x01\x01"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.one_of(
        st.binary(max_size=12),
        st.builds(der.sequence, BOOLEANS, BOOLEANS),
        st.builds(lambda a, n: der.sequence(a, der.integer(n)), BOOLEANS, st.integers(-2, 3)),
    )
)
def test_the_end_entity_path_never_signs_a_ca(lasting_signer: Signer, value: bytes) -> None:
    """Whatever basicConstraints holds: what was signed is, to a strict reader, no CA."""
    tbs = set_basic_constraints(s.leaf(ROOT, ca=False), value)
    (answer,) = lasting_signer.sign_certificates([s.order("root", tbs)])
    if isinstance(answer, CAError):
        assert isinstance(answer, SignerRefused)
        return
    made = x509.load_der_x509_certificate(s.certificate(tbs, ECDSA, answer))
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca
    assert constraints.path_length is None


@settings(max_examples=200)
@given(at=st.integers(0, 400), mask=st.integers(1, 255))
def test_a_damaged_tbs_is_refused_or_still_within_the_rules(
    lasting_signer: Signer, at: int, mask: int
) -> None:
    tbs = bytearray(s.leaf(ROOT, ca=False))
    tbs[at % len(tbs)] ^= mask
    order = s.order("root", s.leaf(ROOT))
    data = bytes(tbs)
    serial = format(int.from_bytes(data[11:27]), "x")
    changed = s.order("root", data, serial=serial) if data[1] == 0x82 else order
    (answer,) = lasting_signer.sign_certificates([changed])
    if isinstance(answer, bytes):
        try:
            made = x509.load_der_x509_certificate(s.certificate(changed.tbs, ECDSA, answer))
        except ValueError:
            return  # pyca minds parts (key, names) that bind nobody; the linter above sees them
        assert made.issuer == ROOT
    else:
        assert isinstance(answer, SignerRefused)


def test_a_key_gone_bad_in_memory_releases_nothing_of_a_batch(signer: Signer) -> None:
    """One signature of an ECDSA batch is verified before any of it leaves."""
    s.make_root(signer, "root", "Root")
    held = signer._vault.get("root")
    flipped = keypair.make(KeyAlgorithm.EC_P256)
    assert isinstance(flipped, ec.EllipticCurvePrivateKey)
    bad = replace(held.ways[ECDSA], sign=lambda data: flipped.sign(data, ec.ECDSA(hashes.SHA256())))
    signer._vault._cache["root"] = replace(held, ways={ECDSA: bad})
    orders = [s.order("root", s.leaf(ROOT)) for _ in range(5)]

    with pytest.raises(Unavailable, match="did not verify"):
        signer.sign_certificates(orders)

    assert not signer.signatures("root", [order.serial for order in orders])
