"""Compiled certificates against pyca's parser and, extension by extension, its builder."""

import dataclasses
import hashlib
import ipaddress
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from issuing import CA_NAME, NOW, SERIAL, Issuer, dn, key, sign, spki, version

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import BadKey, BadName, BadRequest
from chancery.domain.names import DistinguishedName
from chancery.domain.profile import (
    EKU_NAMES,
    BasicConstraints,
    CertificatePolicy,
    CustomExtension,
    ExtensionProfile,
    KeyUsage,
    MsTemplate,
    NameConstraints,
)
from chancery.domain.request import ToBeSigned
from chancery.domain.shipped import PROFILES
from chancery.domain.validity import LeafAfterIssuer, ValidityRule
from chancery.wire import der, general_names, tbs
from chancery.wire.algorithms import verify

OID = x509.ObjectIdentifier
SUBJECT = dn(("C", "DE"), ("O", "Example"), ("CN", "www.example.org"))
NAMES = tuple(map(general_names.parse, ("dns:www.example.org", "ip:192.0.2.1")))
EC = spki(KeyAlgorithm.EC_P256)

LEAF = ExtensionProfile(
    name="leaf",
    key_usage=(KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT),
    extended_key_usage=(EKU_NAMES["serverAuth"], EKU_NAMES["OCSPSigning"]),
    extended_key_usage_critical=True,
    freshest_crl=("{http}/crl/{ca}-delta.crl",),
    cdp=("{http}/crl/{ca}.crl", "ldap://ldap.example.org/cn={ca}"),
    policies=(
        CertificatePolicy("1.2.3.4"),
        CertificatePolicy("1.2.3.5", "https://example.org/cps", "Nur für Prüfungen"),
    ),
    ocsp_no_check=True,
    ms_template=MsTemplate("1.3.6.1.4.1.311.21.8.1.2", 100, 2),
    custom=(
        CustomExtension("1.3.6.1.4.1.99999.1", critical=True, der_hex="0c0161"),
        CustomExtension("1.3.6.1.4.1.99999.2"),
        CustomExtension("1.3.6.1.4.1.99999.3", critical=True),
    ),
)
CA = ExtensionProfile(
    name="ca",
    key_usage=(KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN),
    basic_constraints=BasicConstraints(ca=True, path_length=0),
    name_constraints=NameConstraints(
        ("dns:example.org", "ip:10.0.0.0/8", "email:.example.org", "directory:O=Example,C=DE"),
        ("ip:2001:db8::/32", "uri:.example.org"),
    ),
)


def their_extensions(
    issuer: Issuer, key_algorithm: KeyAlgorithm
) -> list[tuple[x509.ExtensionType, bool]]:
    """What pyca makes of LEAF, in our order."""
    digest = hashlib.sha256(key_bits(spki(key_algorithm))).digest()[:20]
    enciphers = "rsa" in key_algorithm.value
    point = [
        x509.UniformResourceIdentifier("http://pki.example.org/crl/root.crl"),
        x509.UniformResourceIdentifier("ldap://ldap.example.org/cn=root"),
    ]
    delta = [x509.UniformResourceIdentifier("http://pki.example.org/crl/root-delta.crl")]
    uri = x509.UniformResourceIdentifier
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (
            x509.KeyUsage(True, False, enciphers, False, False, False, False, False, False),
            True,
        ),
        (x509.ExtendedKeyUsage([OID(oid) for oid in LEAF.extended_key_usage]), True),
        (x509.SubjectKeyIdentifier(digest), False),
        (x509.AuthorityKeyIdentifier(issuer.context.key_identifier, None, None), False),
        (
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("www.example.org"),
                    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
                ]
            ),
            False,
        ),
        (
            x509.CertificatePolicies(
                [
                    x509.PolicyInformation(OID("1.2.3.4"), None),
                    x509.PolicyInformation(
                        OID("1.2.3.5"),
                        ["https://example.org/cps", x509.UserNotice(None, "Nur für Prüfungen")],
                    ),
                ]
            ),
            False,
        ),
        (x509.CRLDistributionPoints([x509.DistributionPoint(point, None, None, None)]), False),
        (x509.FreshestCRL([x509.DistributionPoint(delta, None, None, None)]), False),
        (
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(
                        x509.AuthorityInformationAccessOID.OCSP,
                        uri("http://pki.example.org/ocsp/root"),
                    ),
                    x509.AccessDescription(
                        x509.AuthorityInformationAccessOID.CA_ISSUERS,
                        uri("http://pki.example.org/ca/root.cer"),
                    ),
                ]
            ),
            False,
        ),
        (x509.OCSPNoCheck(), False),
        (x509.MSCertificateTemplate(OID("1.3.6.1.4.1.311.21.8.1.2"), 100, 2), False),
        (x509.UnrecognizedExtension(OID("1.3.6.1.4.1.99999.1"), b"\x0c\x01a"), True),
        (x509.UnrecognizedExtension(OID("1.3.6.1.4.1.99999.2"), b"\x05\x00"), False),
    ]


def key_bits(spki_der: bytes) -> bytes:
    reader = der.Reader(spki_der).enter(der.SEQUENCE)
    reader.read(der.SEQUENCE)
    return der.decode_bit_string(reader.content(der.BIT_STRING))[0]


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.RSA_2048, KeyAlgorithm.EC_P256])
def test_pyca_builds_the_same_octets(algorithm: KeyAlgorithm) -> None:
    issuer = Issuer(KeyAlgorithm.EC_P256)
    ours = issuer.issue(
        LEAF,
        subject=SUBJECT,
        spki=spki(algorithm),
        names=NAMES,
        extensions=(("1.3.6.1.4.1.99999.2", b"\x05\x00"),),
    )
    parsed = x509.load_der_x509_certificate(ours)
    start = datetime.fromtimestamp(NOW - LEAF.backdate_s, UTC)
    oid = x509.NameOID

    def name(common_name: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(oid.COUNTRY_NAME, "DE"),
                x509.NameAttribute(oid.ORGANIZATION_NAME, "Example"),
                x509.NameAttribute(oid.COMMON_NAME, common_name),
            ]
        )

    builder = (
        x509.CertificateBuilder()
        .subject_name(name("www.example.org"))
        .issuer_name(name("Example Root CA"))
        .public_key(key(algorithm).public_key())
        .serial_number(SERIAL)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(seconds=LEAF.validity_s - 1))
    )
    for value, critical in their_extensions(issuer, algorithm):
        builder = builder.add_extension(value, critical=critical)
    theirs = builder.sign(issuer.key, hashes.SHA256())

    for mine, other in zip(parsed.extensions, theirs.extensions, strict=True):
        assert mine == other
    assert parsed.tbs_certificate_bytes == theirs.tbs_certificate_bytes


def test_a_ca_certificate_with_name_constraints() -> None:
    parsed = x509.load_der_x509_certificate(Issuer().issue(CA, subject=dn(("CN", "Sub")), spki=EC))
    constraints = parsed.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value == x509.NameConstraints(
        [
            x509.DNSName("example.org"),
            x509.IPAddress(ipaddress.ip_network("10.0.0.0/8")),
            x509.RFC822Name(".example.org"),
            x509.DirectoryName(
                x509.Name(
                    [
                        x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE"),
                        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Example"),
                    ]
                )
            ),
        ],
        [
            x509.IPAddress(ipaddress.ip_network("2001:db8::/32")),
            x509.UniformResourceIdentifier(".example.org"),
        ],
    )
    basic = parsed.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert basic.value == x509.BasicConstraints(ca=True, path_length=0)
    assert parsed.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


CHOICES: dict[str, tuple[object, ...]] = {
    "basic_constraints": (None, BasicConstraints()),
    "key_usage": ((), (KeyUsage.DIGITAL_SIGNATURE,)),
    "extended_key_usage": ((), (EKU_NAMES["clientAuth"],)),
    "subject_key_identifier": (False, True),
    "authority_key_identifier": (False, True),
    "cdp": ((), LEAF.cdp),
    "aia_ocsp": ((), LEAF.aia_ocsp),
    "policies": ((), LEAF.policies),
    "ms_template": (None, MsTemplate("1.2.3", 0)),
}


@pytest.mark.parametrize("named", [True, False])
def test_pyca_parses_every_combination(*, named: bool) -> None:
    issuer = Issuer()
    for values in itertools.product(*CHOICES.values()):
        profile = ExtensionProfile(name="x", **dict(zip(CHOICES, values, strict=True)))
        made = issuer.compiled(profile).build(
            serial=1,
            subject=SUBJECT,
            spki=EC,
            names=NAMES if named else (),
            extensions=(),
            lasting_s=60,
        )
        data = tbs.assemble(made, NOW, NOW + 59)
        parsed = x509.load_der_x509_certificate(
            tbs.certificate(data, issuer.signature, b"not a signature")
        )
        expected = sum(map(bool, values)) + named + (not values[6])  # AIA holds the issuers still
        assert len(parsed.extensions) == expected
        assert parsed.tbs_certificate_bytes == data


def test_a_certificate_without_extensions_has_no_extensions_field() -> None:
    bare = ExtensionProfile(
        name="bare",
        key_usage=(),
        basic_constraints=None,
        subject_key_identifier=False,
        authority_key_identifier=False,
        cdp=(),
        aia_ocsp=(),
        aia_issuers=(),
    )
    parsed = x509.load_der_x509_certificate(Issuer().issue(bare, subject=SUBJECT, spki=EC))
    assert len(parsed.extensions) == 0


@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_every_issuer_algorithm_verifies(algorithm: SignatureAlgorithm) -> None:
    kind = next(k for k, able in SIGNATURES_OF.items() if algorithm in able)
    issuer = Issuer(kind, algorithm)
    parsed = x509.load_der_x509_certificate(issuer.issue(LEAF, subject=SUBJECT, spki=EC))
    root = x509.load_der_x509_certificate(issuer.certificate)

    verify(issuer.spki, algorithm, parsed.signature, parsed.tbs_certificate_bytes)
    if not algorithm.value.startswith("ml-dsa"):  # pyca's own check knows no ML-DSA issuers
        parsed.verify_directly_issued_by(root)
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert authority.key_identifier == identifier.digest


def test_the_san_is_critical_where_the_subject_is_empty() -> None:
    parsed = x509.load_der_x509_certificate(
        Issuer().issue(LEAF, subject=DistinguishedName(), spki=EC, names=NAMES)
    )
    assert parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_a_certificate_needs_a_name() -> None:
    with pytest.raises(BadName):
        Issuer().issue(LEAF, subject=DistinguishedName(), spki=EC)
    with pytest.raises(BadName):
        Issuer().issue(CA, subject=DistinguishedName(), spki=EC, names=NAMES)


@pytest.mark.parametrize(
    ("algorithm", "bits"),
    [
        (KeyAlgorithm.RSA_2048, {"digital_signature", "key_encipherment"}),
        (KeyAlgorithm.EC_P256, {"digital_signature", "key_agreement"}),
        (KeyAlgorithm.ED25519, {"digital_signature"}),
        (KeyAlgorithm.ML_DSA_44, {"digital_signature"}),
    ],
)
def test_key_usage_holds_what_the_key_can_do(algorithm: KeyAlgorithm, bits: set[str]) -> None:
    profile = next(p for p in PROFILES if p.name == "user")
    parsed = x509.load_der_x509_certificate(
        Issuer().issue(profile, subject=SUBJECT, spki=spki(algorithm))
    )
    usage = parsed.extensions.get_extension_for_class(x509.KeyUsage).value
    every = ("digital_signature", "content_commitment", "key_encipherment", "key_agreement")
    assert {bit for bit in every if getattr(usage, bit)} == bits


def test_a_key_that_can_do_nothing_of_it_is_refused() -> None:
    profile = ExtensionProfile(name="enc", key_usage=(KeyUsage.KEY_ENCIPHERMENT,))
    with pytest.raises(BadKey) as caught:
        Issuer().issue(profile, subject=SUBJECT, spki=spki(KeyAlgorithm.ED25519))
    assert caught.value.rule == "key.usage"


@pytest.mark.parametrize(
    "given",
    [
        (("1.3.6.1.4.1.99999.2", b"\x05\x00"),) * 2,
        (("1.3.6.1.4.1.99999.1", b"\x05\x00"),),  # fixed by the profile
        (("2.5.29.19", b"\x30\x03\x01\x01\xff"),),  # CA:TRUE
        (("1.3.6.1.4.1.99999.2", b"\x05\x00\x00"),),
        (("1.3.6.1.4.1.99999.2", b""),),
    ],
    ids=["twice", "fixed", "basicConstraints", "trailing", "empty"],
)
def test_refuses_extensions(given: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(BadRequest):
        Issuer().issue(LEAF, subject=SUBJECT, spki=EC, extensions=given)


def test_requested_extensions_stand_in_the_profiles_order() -> None:
    two, three = ("1.3.6.1.4.1.99999.2", b"\x05\x00"), ("1.3.6.1.4.1.99999.3", b"\x05\x00")
    issuer = Issuer()
    build = issuer.compiled(LEAF).build
    made = [
        build(serial=1, subject=SUBJECT, spki=EC, names=(), extensions=given, lasting_s=60)
        for given in ((two, three), (three, two))
    ]
    assert made[0] == made[1]


def test_a_required_extension_must_be_given() -> None:
    profile = ExtensionProfile(name="x", custom=(CustomExtension("1.2.3", required=True),))
    with pytest.raises(BadRequest, match="required"):
        Issuer().issue(profile, subject=SUBJECT, spki=EC)


@pytest.mark.parametrize("serial", [0, -1, 1 << 159])
def test_refuses_serials(serial: int) -> None:
    with pytest.raises(BadRequest):
        Issuer().compiled(LEAF).build(
            serial=serial, subject=SUBJECT, spki=EC, names=(), extensions=(), lasting_s=60
        )


@pytest.mark.parametrize("lasting", [0, LEAF.max_validity_s + 1])
def test_refuses_validities_out_of_bounds(lasting: int) -> None:
    with pytest.raises(BadRequest):
        Issuer().compiled(LEAF).build(
            serial=1, subject=SUBJECT, spki=EC, names=(), extensions=(), lasting_s=lasting
        )


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30\x00", EC + b"\x00", EC[:-1], der.sequence(der.NULL)],
    ids=["nothing", "empty", "longer", "shorter", "no-key"],
)
def test_refuses_what_is_no_key(data: bytes) -> None:
    with pytest.raises(BadRequest):
        Issuer().issue(LEAF, subject=SUBJECT, spki=data)


def test_times_from_2050_are_generalized() -> None:
    issuer = Issuer()
    made = issuer.compiled(LEAF).build(
        serial=1, subject=SUBJECT, spki=EC, names=(), extensions=(), lasting_s=60
    )
    data = tbs.assemble(made, 2_524_607_999, 2_524_608_000)
    assert b"\x17\x0d491231235959Z\x18\x0f20500101000000Z" in data


def test_the_key_identifier_is_method_1_of_rfc_7093() -> None:
    assert tbs.key_identifier(EC) == hashlib.sha256(key_bits(EC)).digest()[:20]


def test_the_content_hash_binds_every_part() -> None:
    issuer = Issuer()
    made = issuer.compiled(LEAF).build(
        serial=1, subject=SUBJECT, spki=EC, names=(), extensions=(), lasting_s=60
    )
    rule = made.validity
    others = [
        dataclasses.replace(made, before=made.before + b"\x00"),
        dataclasses.replace(made, after=made.after + b"\x00"),
        # The same octets, split elsewhere.
        ToBeSigned(made.before + made.after[:1], made.after[1:], rule),
        *(
            dataclasses.replace(made, validity=dataclasses.replace(rule, **change))
            for change in (
                {"lasting_s": 61},
                {"backdate_s": 61},
                {"latest": rule.latest + 1},
                {"after_issuer": LeafAfterIssuer.REFUSE},
            )
        ),
    ]
    hashed = {tbs.content_hash(item) for item in (made, *others)}
    assert len(hashed) == len(others) + 1
    assert tbs.content_hash(made) == tbs.content_hash(dataclasses.replace(made))


def test_the_content_hash_is_as_documented() -> None:
    made = ToBeSigned(b"ab", b"c", ValidityRule(10, 1, 99, LeafAfterIssuer.TRUNCATE))
    text = b"10:1:99:truncate"
    expected = hashlib.sha256(
        b"".join(len(part).to_bytes(8) + part for part in (b"ab", b"c", text))
    ).hexdigest()
    assert tbs.content_hash(made) == expected


def test_a_signature_over_the_assembled_octets_is_all_it_takes() -> None:
    issuer = Issuer(KeyAlgorithm.ED25519)
    compiled = tbs.compile_profile(version(LEAF), issuer.context)
    made = compiled.build(serial=1, subject=SUBJECT, spki=EC, names=(), extensions=(), lasting_s=60)
    data = tbs.assemble(made, *made.validity.starting(NOW))
    whole = tbs.certificate(data, issuer.signature, sign(issuer.key, issuer.signature, data))
    assert x509.load_der_x509_certificate(whole).issuer.rfc4514_string() == CA_NAME.text
