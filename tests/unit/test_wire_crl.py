"""CRLs as bytes: what pyca reads in them is what was put in."""

from datetime import UTC, datetime

import pytest
from asn1crypto import crl as asn1_crl
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.certificate import RevocationReason, RevokedEntry
from chancery.domain.errors import BadRequest
from chancery.wire import algorithms, crl, crl_entries
from chancery.wire.names import encode_name, parse_text

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = 1_800_000_000
ALGORITHM = SignatureAlgorithm.ECDSA_SHA256

serials = st.integers(1, (1 << 159) - 1).map(lambda n: f"{n:x}")
times = st.integers(1_700_000_000, 2_600_000_000)
entries = st.builds(
    RevokedEntry, serials, times, st.sampled_from(RevocationReason), st.none() | times
)


def signed(
    *revoked: RevokedEntry,
    scope: crl.Scope | None = None,
    number: int = 7,
    raw: tuple[bytes, ...] = (),
) -> bytes:
    tbs = crl.tbs(
        issuer=encode_name(parse_text("CN=Issuing,O=Example")),
        key_identifier=b"k" * 20,
        algorithm=ALGORITHM,
        number=number,
        this_update=NOW,
        next_update=NOW + 86_400,
        entries=[*map(crl.entry, revoked), *raw],
        scope=scope,
    )
    return crl.join(tbs, ALGORITHM, KEY.sign(tbs, ec.ECDSA(hashes.SHA256())))


@given(st.lists(entries, max_size=5, unique_by=lambda item: item.serial))
def test_pyca_reads_what_was_written(revoked: list[RevokedEntry]) -> None:
    parsed = x509.load_der_x509_crl(signed(*revoked))
    assert parsed.is_signature_valid(KEY.public_key())
    assert len(parsed) == len(revoked)
    for entry, wanted in zip(parsed, revoked, strict=True):
        assert f"{entry.serial_number:x}" == wanted.serial
        assert entry.revocation_date_utc == datetime.fromtimestamp(wanted.revoked_at, UTC)
        found = {e.oid: e.value for e in entry.extensions}
        reason = found.get(x509.CRLReason.oid)
        if wanted.reason is RevocationReason.unspecified:
            assert reason is None, "RFC 5280 §5.3.1: absent rather than unspecified"
        else:
            assert isinstance(reason, x509.CRLReason)
            assert reason.reason.value == wanted.reason.name
        date = found.get(x509.InvalidityDate.oid)
        if wanted.invalidity_date is None:
            assert date is None
        else:
            assert isinstance(date, x509.InvalidityDate)
            assert date.invalidity_date_utc.timestamp() == wanted.invalidity_date


def test_an_empty_crl_has_no_list() -> None:
    """RFC 5280 §5.1.2.6: it MUST be absent."""
    parsed = asn1_crl.CertificateList.load(signed())
    assert parsed["tbs_cert_list"]["revoked_certificates"].native is None
    assert parsed["tbs_cert_list"]["version"].native == "v2"


@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        (crl.Scope(("http://pki.example.org/crl/a.crl",)), {"distribution_point"}),
        (crl.Scope(only_user_certificates=True), {"only_contains_user_certs"}),
        (crl.Scope(only_ca_certificates=True), {"only_contains_ca_certs"}),
    ],
)
def test_the_scope_is_a_critical_extension(scope: crl.Scope, fields: set[str]) -> None:
    parsed = asn1_crl.CertificateList.load(signed(scope=scope))
    point = parsed.issuing_distribution_point_value.native
    assert {name for name, value in point.items() if value} == fields
    assert "issuing_distribution_point" in parsed.critical_extensions
    decoded = crl.decode(signed(scope=scope))
    assert decoded.scope == scope
    assert decoded.complete is not scope.limits
    pyca = x509.load_der_x509_crl(signed(scope=scope)).extensions
    assert pyca.get_extension_for_class(x509.IssuingDistributionPoint).critical


@pytest.mark.parametrize(
    "point",
    [
        x509.IssuingDistributionPoint(None, None, False, False, frozenset({x509.ReasonFlags.key_compromise}), False, False),
        x509.IssuingDistributionPoint(None, None, False, False, None, False, True),
        x509.IssuingDistributionPoint([x509.DNSName("a")], None, False, False, None, False, False),
        x509.IssuingDistributionPoint(None, x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")]), False, False, None, False, False),
    ],
)  # fmt: skip
def test_what_we_never_write_is_not_complete(point: x509.IssuingDistributionPoint) -> None:
    now = datetime.fromtimestamp(NOW, UTC)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")]))
        .last_update(now)
        .next_update(now)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(point, critical=True)
        .sign(KEY, hashes.SHA256())
    )
    decoded = crl.decode(made.public_bytes(Encoding.DER))
    assert not decoded.complete
    with pytest.raises(ValueError, match="bug"):
        (decoded.scope or crl.Scope()).encode()


def test_a_scope_cannot_be_empty_handed() -> None:
    with pytest.raises(BadRequest):
        crl.Scope(only_user_certificates=True, only_ca_certificates=True)


@given(st.integers(0, 1 << 150))
def test_decodes(number: int) -> None:
    decoded = crl.decode(signed(number=number))
    assert decoded.number == number
    assert decoded.key_identifier == b"k" * 20
    assert decoded.issuer == encode_name(parse_text("CN=Issuing,O=Example"))
    assert (decoded.this_update, decoded.next_update) == (NOW, NOW + 86_400)
    assert decoded.algorithm is ALGORITHM


@given(st.binary())
def test_never_fails_in_an_unplanned_way(data: bytes) -> None:
    with pytest.raises(BadRequest):
        crl.decode(data)


WHOLE = signed(RevokedEntry("1f", NOW, RevocationReason.superseded, NOW))


@given(st.data())
def test_nor_for_a_damaged_crl(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE)
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] = data.draw(st.integers(0, 255))
    try:
        decoded = crl.decode(bytes(damaged))
        spki = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        algorithms.verify(spki, decoded.algorithm, decoded.signature, decoded.tbs)
    except BadRequest:
        return
    assert bytes(damaged) == WHOLE


def test_a_delta_says_what_it_adds_to_and_where_it_is() -> None:
    url = "http://a.example/crl/x/delta.crl"
    tbs = crl.tbs(
        issuer=encode_name(parse_text("CN=Issuing,O=Example")),
        key_identifier=b"k" * 20,
        algorithm=ALGORITHM,
        number=9,
        this_update=NOW,
        next_update=NOW + 60,
        entries=[crl_entries.removal("a1", NOW - 60)],
        base=7,
        freshest=(url,),
        expired_since=NOW - 86_400,
    )
    der = crl.join(tbs, ALGORITHM, KEY.sign(tbs, ec.ECDSA(hashes.SHA256())))
    parsed = x509.load_der_x509_crl(der)
    assert parsed.is_signature_valid(KEY.public_key())
    (removed,) = parsed
    reason = removed.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.remove_from_crl
    decoded = crl.decode(der)
    assert (decoded.base, decoded.freshest, decoded.expired_since) == (7, (url,), NOW - 86_400)
    assert not decoded.complete


def test_an_indirect_crl_names_whose_certificates_follow() -> None:
    other = encode_name(parse_text("CN=Other"))
    mine, theirs, too = (
        crl.entry(RevokedEntry(serial, NOW, RevocationReason.superseded, None))
        for serial in ("1", "2", "3")
    )
    scope = crl.Scope(indirect=True)
    der = signed(scope=scope, raw=(mine, crl_entries.issued_by(theirs, other), too))
    found = asn1_crl.CertificateList.load(der)["tbs_cert_list"]["revoked_certificates"]
    issuers = [None if e.issuer_name is None else e.issuer_name.native for e in found]
    assert issuers[:2] == [None, {"common_name": "Other"}]
    assert [len(e["crl_entry_extensions"]) for e in found] == [1, 2, 1]
    assert crl.decode(der).scope == scope
    assert not crl.decode(der).complete
