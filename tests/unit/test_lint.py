"""The inline linter: one red certificate for each rule, and green ones from our own encoder.

The certificates here are put together from hex, not by ``wire.tbs``: the
linter is there to find that encoder's errors.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import Conflict
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.profile import (
    EKU_NAMES,
    BasicConstraints,
    CertificatePolicy,
    CustomExtension,
    ExtensionProfile,
    KeyUsage,
    MsTemplate,
    NameConstraints,
    ProfileVersion,
    SanRule,
)
from chancery.domain.shipped import PROFILES
from chancery.wire import der, tbs
from chancery.wire.lint import compile_lint
from chancery.wire.names import encode_name, parse_text
from chancery.wire.twin import twin_signature

ECDSA = bytes.fromhex("300a06082a8648ce3d040302")
ED25519 = bytes.fromhex("300506032b6570")
ISSUER = encode_name(parse_text("CN=Issuing CA,O=Example"))


def spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


P256 = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
P384 = spki(ec.generate_private_key(ec.SECP384R1()).public_key())
RSA = spki(rsa.generate_private_key(65_537, 2048).public_key())
EDWARDS = spki(ed25519.Ed25519PrivateKey.generate().public_key())
MLDSA = spki(mldsa.MLDSA65PrivateKey.generate().public_key())


def version(profile: ExtensionProfile) -> ProfileVersion:
    return ProfileVersion(profile, 1, "0" * 64, 0, "test")


def ext(oid: str, value: bytes | str, *, critical: bool = False) -> bytes:
    content = bytes.fromhex(value) if isinstance(value, str) else value
    flag = b"\x01\x01\xff" if critical else b""
    return der.sequence(der.oid(oid), flag, der.octet_string(content))


def ski(key: bytes) -> bytes:
    bits = der.Reader(der.single(key)[1])
    bits.read()
    return hashlib.sha256(bits.read()[1][1:]).digest()[:20]


def san(*names: bytes, critical: bool = False) -> bytes:
    return ext("2.5.29.17", der.sequence(*names), critical=critical)


def dns(name: str) -> bytes:
    return der.tlv(0x82, name.encode("latin-1"))


TLS = ExtensionProfile(
    "tls",
    extended_key_usage=(EKU_NAMES["serverAuth"],),
    san=(SanRule(NameKind.DNS, wildcards=True), SanRule(NameKind.IP), SanRule(NameKind.EMAIL)),
    max_validity_s=90 * 86_400,
)
EXTENSIONS = {
    "bc": ext("2.5.29.19", "3000", critical=True),
    "ku": ext("2.5.29.15", "03020780", critical=True),
    "eku": ext("2.5.29.37", "300a06082b06010505070301"),
    "ski": ext("2.5.29.14", b"\x04\x14" + ski(P256)),
    "aki": ext("2.5.29.35", b"\x30\x16\x80\x14" + bytes(20)),
    "san": san(dns("www.example.org")),
    "cdp": ext(
        "2.5.29.31", der.sequence(der.sequence(der.explicit(0, der.explicit(0, b"\x86\x0fhttp://p/ca.crl"))))
    ),
    "aia": ext(
        "1.3.6.1.5.5.7.1.1",
        der.sequence(
            der.sequence(der.oid("1.3.6.1.5.5.7.48.1"), b"\x86\x0dhttp://p/ocsp"),
            der.sequence(der.oid("1.3.6.1.5.5.7.48.2"), b"\x86\x0dhttp://p/ca.c"),
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """A certificate by its parts, each one replaceable."""

    version: bytes = b"\xa0\x03\x02\x01\x02"
    serial: bytes = b"\x5a" * 16
    inner: bytes = ECDSA
    outer: bytes = ECDSA
    issuer: bytes = ISSUER
    not_before: bytes = b"\x17\x0d261124000000Z"
    not_after: bytes = b"\x17\x0d270221235959Z"  # 90 days, both ends included
    subject: bytes = encode_name(parse_text("CN=www.example.org"))
    spki: bytes = P256
    unique_id: bytes = b""
    extensions: tuple[bytes, ...] = tuple(EXTENSIONS.values())
    signature: bytes = b"\x00" + bytes(70)
    tail: bytes = b""

    @property
    def der(self) -> bytes:
        listed = der.explicit(3, der.sequence(*self.extensions)) if self.extensions else b""
        body = der.sequence(
            self.version,
            der.tlv(0x02, self.serial),
            self.inner,
            self.issuer,
            der.sequence(self.not_before, self.not_after),
            self.subject,
            self.spki,
            self.unique_id,
            listed,
        )
        return der.sequence(body, self.outer, der.tlv(0x03, self.signature), self.tail)


def with_(**changed: bytes | None) -> tuple[bytes, ...]:
    """The good extensions, some replaced, added, or (None) left out."""
    return tuple(e for e in (EXTENSIONS | changed).values() if e is not None)


def codes(certificate: bytes, profile: ExtensionProfile = TLS) -> set[str]:
    findings = compile_lint(version(profile))(certificate)
    assert all(f.startswith("ERROR ") and ": " in f for f in findings)
    return {f.split(" ")[1].rstrip(":") for f in findings}


def test_a_good_certificate_is_clean() -> None:
    assert codes(Draft().der) == set()


FRAME: dict[str, tuple[Draft, str]] = {
    "version 1": (Draft(version=b""), "lint.version"),
    "version 2": (Draft(version=b"\xa0\x03\x02\x01\x01"), "lint.version"),
    "serial 0": (Draft(serial=b"\x00"), "serial.positive"),
    "serial negative": (Draft(serial=b"\x80" + bytes(15)), "serial.positive"),
    "serial empty": (Draft(serial=b""), "serial.positive"),
    "serial padded": (Draft(serial=b"\x00" + b"\x5a" * 16), "serial.der"),
    "serial of 21 octets": (Draft(serial=b"\x5a" * 21), "serial.long"),
    "serial of 20 octets and a sign": (Draft(serial=b"\x00" + b"\xff" * 20), "serial.long"),
    "serial of 63 bits (I5)": (Draft(serial=b"\x5a" * 7), "serial.short"),
    "two algorithms": (Draft(outer=ED25519), "signature.algorithm"),
    "SHA-1": (Draft(inner=bytes.fromhex("300906072a8648ce3d0401"), outer=bytes.fromhex("300906072a8648ce3d0401")), "signature.algorithm"),
    "no issuer": (Draft(issuer=b"\x30\x00"), "issuer.empty"),
    "ends before it begins": (Draft(not_after=b"\x17\x0d261123235959Z"), "validity.order"),
    "one second too long": (Draft(not_after=b"\x17\x0d270222000000Z"), "validity.long"),
    "GeneralizedTime before 2050": (Draft(not_after=b"\x18\x0f20270221235959Z"), "validity.time"),
    "UTCTime without seconds": (Draft(not_before=b"\x17\x0b2611240000Z"), "validity.time"),
    "UTCTime with an offset": (Draft(not_before=b"\x17\x11261124000000+0000"), "validity.time"),
    "fractions of a second": (Draft(not_after=b"\x18\x1120500101000000.5Z"), "validity.time"),
    "30 February": (Draft(not_after=b"\x17\x0d270230000000Z"), "validity.time"),
    "second 60": (Draft(not_after=b"\x17\x0d270221235960Z"), "validity.time"),
    "a time that is an INTEGER": (Draft(not_after=b"\x02\x01\x01"), "lint.der"),
    "subjectUniqueID": (Draft(unique_id=b"\x82\x02\x00\x01"), "lint.der"),
    "no extensions": (Draft(extensions=()), "extension.missing"),
    "signature with unused bits": (Draft(signature=b"\x01" + bytes(70)), "lint.der"),
    "no signature": (Draft(signature=b"\x00"), "lint.der"),
    "a key the profile does not list": (Draft(spki=MLDSA, extensions=with_(ski=ext("2.5.29.14", b"\x04\x14" + ski(MLDSA)))), "key.kind"),
    "no key": (Draft(spki=b"\x30\x00"), "der.malformed"),
    "a key of the wrong length": (Draft(spki=der.sequence(P256[2:23], der.bit_string(b"\x04" + bytes(63)))), "key.malformed"),
    "an RSA key that is none": (Draft(spki=der.sequence(der.sequence(der.oid("1.2.840.113549.1.1.1"), der.NULL), der.bit_string(b"\x30\x03\x04\x01\x01"))), "key.malformed"),
    "two octets after the signature": (Draft(tail=b"\x05\x00"), "lint.der"),
    "an empty list of extensions": (Draft(unique_id=b"\xa3\x02\x30\x00", extensions=()), "lint.der"),
    "a wrapper longer than its list": (Draft(unique_id=b"\xa3\x04\x30\x00\x05\x00", extensions=()), "lint.der"),
    "65 extensions": (Draft(extensions=(EXTENSIONS["ku"],) * 65), "lint.der"),
    "an extension with a tail": (Draft(extensions=(der.sequence(der.oid("1.2.3"), b"\x04\x00", b"\x05\x00"),)), "lint.der"),
    "64 KiB": (Draft(signature=bytes(65_600)), "lint.size"),
    "a subject of 9 KB": (Draft(subject=encode_name(parse_text("CN=" + "x" * 3_000 + ",O=" + "x" * 999)) * 3), "lint.der"),
    "a long subject": (Draft(subject=der.sequence(der.single(encode_name(parse_text("CN=" + "x" * 3_000)))[1] * 3)), "subject.long"),
    "a CN in broken UTF-8": (Draft(subject=bytes.fromhex("300c310a300806035504030c01ff")), "subject.cn"),
    "a CN that only looks like an address": (Draft(subject=encode_name(parse_text("CN=a:b"))), "subject.cn"),
    "an unknown key": (Draft(spki=der.sequence(der.sequence(der.oid("1.2.3")), der.bit_string(b"x"))), "key.kind"),
    "an empty attribute": (Draft(subject=bytes.fromhex("300b3109300706035504030c00")), "subject.empty-attribute"),
    "a subject that is no Name": (Draft(subject=bytes.fromhex("3003020101")), "subject.malformed"),
    "CN outside the SAN": (Draft(subject=encode_name(parse_text("CN=www.example.com"))), "subject.cn"),
}  # fmt: skip


@pytest.mark.parametrize(("draft", "code"), FRAME.values(), ids=FRAME)
def test_frame(draft: Draft, code: str) -> None:
    assert code in codes(draft.der)


VALUES: dict[str, tuple[dict[str, bytes | None], str]] = {
    "no basicConstraints": ({"bc": None}, "extension.missing"),
    "basicConstraints not critical": ({"bc": ext("2.5.29.19", "3000")}, "extension.criticality"),
    "CA:TRUE (I10)": ({"bc": ext("2.5.29.19", "30030101ff", critical=True)}, "basic-constraints.ca"),
    "CA:FALSE written": ({"bc": ext("2.5.29.19", "3003010100", critical=True)}, "basic-constraints.der"),
    "a path length in a leaf": ({"bc": ext("2.5.29.19", "3003020100", critical=True)}, "basic-constraints.path"),
    "no keyUsage": ({"ku": None}, "extension.missing"),
    "keyUsage not critical": ({"ku": ext("2.5.29.15", "03020780")}, "extension.criticality"),
    "keyCertSign": ({"ku": ext("2.5.29.15", "03020284", critical=True)}, "key-usage.excess"),
    "keyEncipherment on an EC key": ({"ku": ext("2.5.29.15", "030205a0", critical=True)}, "key-usage.key"),
    "another keyUsage": ({"ku": ext("2.5.29.15", "03020308", critical=True)}, "key-usage.missing"),
    "keyUsage without a bit": ({"ku": ext("2.5.29.15", "030100", critical=True)}, "key-usage.empty"),
    "keyUsage with trailing zeros": ({"ku": ext("2.5.29.15", "03020080", critical=True)}, "der.malformed"),
    "no EKU": ({"eku": None}, "extension.missing"),
    "clientAuth instead": ({"eku": ext("2.5.29.37", "300a06082b06010505070302")}, "eku.value"),
    "anyExtendedKeyUsage too": ({"eku": ext("2.5.29.37", "301006082b0601050507030106045 51d2500".replace(" ", ""))}, "eku.value"),
    "a purpose twice": ({"eku": ext("2.5.29.37", "3014" + "06082b06010505070301" * 2)}, "eku.duplicate"),
    "an empty EKU": ({"eku": ext("2.5.29.37", "3000")}, "eku.value"),
    "EKU cut short": ({"eku": ext("2.5.29.37", "300a0608")}, "extension.malformed"),
    "SKI of another key": ({"ski": ext("2.5.29.14", b"\x04\x14" + bytes(20))}, "ski.value"),
    "no SKI": ({"ski": None}, "extension.missing"),
    "no AKI": ({"aki": None}, "extension.missing"),
    "AKI without a key identifier": ({"aki": ext("2.5.29.35", "3000")}, "aki.value"),
    "AKI with a serial number": ({"aki": ext("2.5.29.35", "3006800101820101")}, "aki.issuer"),
    "an extension twice": ({"again": EXTENSIONS["ku"]}, "extension.duplicate"),
    "an extension nobody asked for": ({"x": ext("1.2.3.4", "0500")}, "extension.unexpected"),
    "critical FALSE written": ({"eku": der.sequence(der.oid("2.5.29.37"), b"\x01\x01\x00", der.octet_string(bytes.fromhex("300a06082b06010505070301")))}, "lint.der"),
    "no CDP": ({"cdp": None}, "extension.missing"),
    "CDP without http": ({"cdp": ext("2.5.29.31", der.sequence(der.sequence(der.explicit(0, der.explicit(0, b"\x86\x04file")))))}, "uri.value"),
    "an empty CDP": ({"cdp": ext("2.5.29.31", "3000")}, "cdp.value"),
    "AIA without issuers": ({"aia": ext("1.3.6.1.5.5.7.1.1", der.sequence(der.sequence(der.oid("1.3.6.1.5.5.7.48.1"), b"\x86\x0dhttp://p/ocsp")))}, "aia.value"),
    "AIA with a space": ({"aia": ext("1.3.6.1.5.5.7.1.1", der.sequence(der.sequence(der.oid("1.3.6.1.5.5.7.48.1"), b"\x86\x0dhttp://p/o sp")))}, "uri.value"),
    "SAN critical beside a subject": ({"san": san(dns("www.example.org"), critical=True)}, "san.critical"),
    "an empty SAN": ({"san": san()}, "san.empty"),
    "a SAN that is no list": ({"san": ext("2.5.29.17", "0500")}, "san.malformed"),
    "a URI, of which the profile knows nothing": ({"san": san(dns("www.example.org"), b"\x86\x0bhttp://a.bc")}, "san.kind"),
    "an unknown tag": ({"san": san(dns("www.example.org"), b"\x85\x01x")}, "san.kind"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "code"), VALUES.values(), ids=VALUES)
def test_extensions(changed: dict[str, bytes | None], code: str) -> None:
    assert code in codes(Draft(extensions=with_(**changed)).der)


@pytest.mark.parametrize(
    "name",
    [
        dns(""), dns("WWW.example.org"), dns("www.example.org."), dns(" www.example.org"),
        dns("www.exa mple.org"), dns("a\x00b.org"), dns("-a.org"), dns("a-.org"), dns("a_b.org"),
        dns("a..b"), dns(".a"), dns("www.*.org"), dns("w*.example.org"), dns("*"), dns("*.*.org"),
        dns("a" * 64 + ".org"), dns(".".join(["a" * 60] * 5)), dns("bücher.example"),
        dns("www.example.org\n"),
        b"\x87\x03\x01\x02\x03", b"\x87\x08" + bytes(8), b"\x87\x00",
        b"\x81\x05alice", b"\x81\x07@a.test", b"\x81\x09a b@c.org", b"\x81\x09a@b@c.org",
        b"\x81\x07a@-.org",
    ],
)  # fmt: skip
def test_malformed_names(name: bytes) -> None:
    assert "san.name" in codes(Draft(extensions=with_(san=san(dns("www.example.org"), name))).der)


@pytest.mark.parametrize(
    "name",
    [
        dns("localhost"), dns("*.example.org"), dns("xn--bcher-kva.example"), dns("3.example"),
        dns("a" * 63 + ".org"), b"\x87\x04\x01\x02\x03\x04", b"\x87\x10" + bytes(16),
        b"\x81\x0balice@b.org",
    ],
)  # fmt: skip
def test_well_formed_names(name: bytes) -> None:
    assert not codes(Draft(extensions=with_(san=san(dns("www.example.org"), name))).der)


@pytest.mark.parametrize(
    "name",
    [
        der.tlv(0xA0, der.oid("1.2.3")), der.tlv(0xA0, b""), b"\x88\x00", b"\x88\x01\x80",
        der.tlv(0xA0, der.oid("1.2.3") + b"\x0c\x01a"),
        der.tlv(0xA0, der.oid("1.2.3") + der.explicit(0, b"\x05\x00") + b"\x05\x00"),
        der.tlv(0xA0, der.oid("1.2.3") + der.explicit(0, b"\x05\x00\x05\x00")),
        b"\xa4\x02\x30\x00", b"\x86\x04path", b"\x86\x05a: bc",
    ],
)  # fmt: skip
def test_malformed_names_of_rarer_kinds(name: bytes) -> None:
    profile = replace(TLS, san=tuple(SanRule(kind) for kind in NameKind))
    found = codes(Draft(extensions=with_(san=san(dns("www.example.org"), name))).der, profile)
    assert found & {"san.name", "der.malformed"}


def test_wildcards_need_the_profiles_word() -> None:
    draft = Draft(extensions=with_(san=san(dns("www.example.org"), dns("*.example.org"))))
    strict = replace(TLS, san=(SanRule(NameKind.DNS),))
    assert codes(draft.der, strict) == {"san.name"}


@pytest.mark.parametrize(
    ("critical", "expected"), [(True, set()), (False, {"san.critical"})], ids=["critical", "not"]
)
def test_without_a_subject_the_san_is_critical(critical: bool, expected: set[str]) -> None:
    names = san(dns("www.example.org"), critical=critical)
    assert codes(Draft(subject=b"\x30\x00", extensions=with_(san=names)).der) == expected


def test_neither_subject_nor_san() -> None:
    assert "subject.empty" in codes(Draft(subject=b"\x30\x00", extensions=with_(san=None)).der)


@pytest.mark.parametrize("cn", ["192.0.2.1", "2001:DB8::0:1", "WWW.Example.org", "www.example.org"])
def test_the_cn_of_a_tls_server_may_be_any_name_of_the_san(cn: str) -> None:
    names = san(
        dns("www.example.org"),
        b"\x87\x04\xc0\x00\x02\x01",
        b"\x87\x10" + bytes.fromhex("20010db8" + "0" * 23 + "1"),
    )
    subject = encode_name(parse_text(f"CN={cn}"))
    assert not codes(Draft(subject=subject, extensions=with_(san=names)).der)


def test_other_profiles_may_name_people_in_the_cn() -> None:
    person = replace(TLS, extended_key_usage=(EKU_NAMES["clientAuth"],))
    draft = Draft(
        subject=encode_name(parse_text("CN=Alice Example")),
        extensions=with_(eku=ext("2.5.29.37", "300a06082b06010505070302")),
    )
    assert not codes(draft.der, person)


def test_times_from_2050_are_generalized() -> None:
    long = replace(TLS, max_validity_s=100 * 366 * 86_400)
    assert not codes(Draft(not_after=b"\x18\x0f20500101000000Z").der, long)
    assert not codes(Draft(not_after=b"\x17\x0d491231235959Z").der, long)
    assert codes(Draft(not_after=b"\x17\x0d500101000000Z").der, long) == {"validity.order"}
    assert codes(Draft(not_after=b"\x18\x0f99991231235959Z").der, long) == {"validity.long"}


def test_the_sha1_key_identifier_of_rfc_5280_is_derived_from_the_key_too() -> None:
    bits = P256[26:]
    identifier = hashlib.sha1(bits).digest()
    assert not codes(Draft(extensions=with_(ski=ext("2.5.29.14", b"\x04\x14" + identifier))).der)


def test_cut_anywhere_it_is_a_finding() -> None:
    whole = Draft().der
    lint = compile_lint(version(TLS))
    assert all(lint(whole[:end]) for end in range(len(whole)))
    assert lint(whole + b"\x00")
    assert not lint(whole)


@given(st.binary(max_size=400))
def test_never_raises(data: bytes) -> None:
    assert compile_lint(version(TLS))(data)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_never_raises_on_mutations(data: st.DataObject) -> None:
    whole = bytearray(Draft().der)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    compile_lint(version(TLS))(bytes(whole))


CA = ExtensionProfile(
    "subordinate",
    key_algorithms=("ec-p256", "ec-p384"),
    max_validity_s=3650 * 86_400,
    key_usage=(KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN),
    basic_constraints=BasicConstraints(ca=True, path_length=0),
    name_constraints=NameConstraints(permitted=("dns:example.org",), excluded=("ip:10.0.0.0/8",)),
)
EVERYTHING = ExtensionProfile(
    "everything",
    key_algorithms=("rsa", "ec-p256", "ec-p384", "ed25519", "ml-dsa-65"),
    key_usage=(KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT, KeyUsage.KEY_AGREEMENT),
    extended_key_usage=(EKU_NAMES["clientAuth"], EKU_NAMES["emailProtection"]),
    san=tuple(SanRule(kind) for kind in NameKind),
    policies=(CertificatePolicy("1.2.3.4", "http://example.org/cps", "notice"),),
    freshest_crl=("{http}/delta/{ca}.crl",),
    ocsp_no_check=True,
    ms_template=MsTemplate("1.3.6.1.4.1.311.21.8.1", 100, 3),
    custom=(
        CustomExtension("1.2.3.4.5", der_hex="0c0161"),
        CustomExtension("1.2.3.4.6", critical=True),
    ),
)
NAMES = (
    GeneralName(NameKind.DNS, "www.example.org"),
    GeneralName(NameKind.IP, "192.0.2.1"),
    GeneralName(NameKind.EMAIL, "alice@example.org"),
    GeneralName(NameKind.URI, "https://example.org/x"),
    GeneralName(NameKind.UPN, "alice@example.org"),
    GeneralName(NameKind.DIRECTORY, "CN=alice"),
    GeneralName(NameKind.REGISTERED_ID, "1.2.3.4"),
    GeneralName(NameKind.OTHER, "1.2.3;0500"),
)
CONTEXT = tbs.IssuerContext(
    "ca", ISSUER, b"k" * 20, SignatureAlgorithm.ECDSA_SHA256, 2**31, "http://pki.example.org"
)


def issue(
    profile: ExtensionProfile,
    key: bytes,
    names: tuple[GeneralName, ...] = (),
    extensions: tuple[tuple[str, bytes], ...] = (),
    subject: str = "CN=www.example.org",
) -> bytes:
    """What the real encoder makes of it."""
    made = tbs.compile_profile(version(profile), CONTEXT).build(
        serial=0x5A << 120,
        subject=parse_text(subject),
        spki=key,
        names=names,
        extensions=extensions,
        lasting_s=86_400,
    )
    times = made.validity.starting(1_795_000_000)
    signature = twin_signature(SignatureAlgorithm.ECDSA_SHA256)
    return tbs.certificate(tbs.assemble(made, *times), SignatureAlgorithm.ECDSA_SHA256, signature)


@pytest.mark.parametrize("key", [RSA, P256, EDWARDS, MLDSA], ids=["rsa", "ec", "ed25519", "ml-dsa"])
@pytest.mark.parametrize("subject", ["CN=www.example.org", ""])
@pytest.mark.parametrize("extra", [(), (("1.2.3.4.6", b"\x05\x00"),)], ids=["plain", "custom"])
def test_our_own_encoder_satisfies_it(
    key: bytes, subject: str, extra: tuple[tuple[str, bytes], ...]
) -> None:
    assert codes(issue(EVERYTHING, key, NAMES, extra, subject), EVERYTHING) == set()


@pytest.mark.parametrize("key", [P256, P384], ids=["p256", "p384"])
def test_a_ca_certificate_satisfies_it(key: bytes) -> None:
    assert codes(issue(CA, key), CA) == set()


def test_an_unknown_policy_qualifier() -> None:
    qualifier = der.sequence(der.oid("1.2.9"), der.NULL)
    policies = der.sequence(der.sequence(der.oid("1.2.3"), der.sequence(qualifier)))
    profile = replace(TLS, policies=(CertificatePolicy("1.2.3"),))
    draft = Draft(extensions=with_(policies=ext("2.5.29.32", policies)))
    assert codes(draft.der, profile) == {"policy.qualifier"}


Change = Callable[[ExtensionProfile], ExtensionProfile]
DRIFT: dict[str, tuple[ExtensionProfile, Change, str]] = {
    "CA": (CA, lambda p: replace(p, basic_constraints=BasicConstraints()), "basic-constraints.ca"),
    "path": (CA, lambda p: replace(p, basic_constraints=BasicConstraints(True, 1)), "basic-constraints.path"),
    "limits": (CA, lambda p: replace(p, name_constraints=NameConstraints(("dns:example.org",))), "name-constraints.value"),
    "leaf": (EVERYTHING, lambda p: replace(p, basic_constraints=BasicConstraints(ca=True)), "basic-constraints.ca"),
    "policy": (EVERYTHING, lambda p: replace(p, policies=(CertificatePolicy("1.2.3.5"),)), "policy.value"),
    "template": (EVERYTHING, lambda p: replace(p, ms_template=MsTemplate("1.3.6.1.4.1.311.21.8.1", 101, 3)), "ms-template.value"),
    "custom": (EVERYTHING, lambda p: replace(p, custom=(CustomExtension("1.2.3.4.5", der_hex="0c0162"),)), "extension.value"),
    "required": (EVERYTHING, lambda p: replace(p, custom=(*p.custom[:1], CustomExtension("1.2.3.4.6", required=True))), "extension.missing"),
    "size": (EVERYTHING, lambda p: replace(p, key_algorithms=("rsa-3072",)), "key.kind"),
    "validity": (EVERYTHING, lambda p: replace(p, max_validity_s=86_399), "validity.long"),
    "SAN": (EVERYTHING, lambda p: replace(p, san=(), cn_into_san=False), "extension.unexpected"),
}  # fmt: skip


@pytest.mark.parametrize(("profile", "change", "code"), DRIFT.values(), ids=DRIFT)
def test_a_certificate_of_one_profile_is_not_one_of_another(
    profile: ExtensionProfile, change: Change, code: str
) -> None:
    """I3: a profile that changes between the request and the signature."""
    made = issue(CA, P256) if profile is CA else issue(EVERYTHING, RSA, NAMES)
    assert code in codes(made, change(profile))


def test_one_lint_serves_many_threads_and_forgets_nothing() -> None:
    lint = compile_lint(version(TLS))
    good, bad = Draft().der, Draft(extensions=with_(eku=ext("2.5.29.37", "3000"))).der
    wrong: list[tuple[str, ...]] = []

    def work() -> None:
        wrong.extend(f for _ in range(200) if (f := lint(good)))
        wrong.extend(() for _ in range(200) if not lint(bad))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_memory_is_bounded_whatever_it_is_shown() -> None:
    lint = compile_lint(version(EVERYTHING))
    for n in range(1_000):
        lint(issue(EVERYTHING, P256, NAMES, (("1.2.3.4.6", der.integer(n)),)))
    assert len(lint._memo) <= 256  # type: ignore[attr-defined]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_shipped_profile_issues_what_its_lint_accepts(profile: ExtensionProfile) -> None:
    fitting = {"ec-p256": P256, "ec-p384": P384, "rsa": RSA}
    key = next(k for name, k in fitting.items() if name in profile.key_algorithms)
    kinds = {rule.kind for rule in profile.san}
    names = tuple(name for name in NAMES if name.kind in kinds)
    assert codes(issue(profile, key, names), profile) == set()


def test_a_crl_issuer_stands_where_the_profile_says_so_and_nowhere_else() -> None:
    listing = replace(TLS, cdp=("{http}/crl/{ca}.crl", "{indirect}"))
    with pytest.raises(Conflict) as refused:
        issue(listing, P256, NAMES[:1])
    assert refused.value.rule == "cdp.indirect"
    other = ((("http://pki.example.org/crl/root/indirect.crl",), ISSUER),)
    context = replace(CONTEXT, listed_by=other)
    made = tbs.compile_profile(version(listing), context).build(
        serial=0x5A << 120,
        subject=parse_text("CN=www.example.org"),
        spki=P256,
        names=NAMES[:1],
        extensions=(),
        lasting_s=86_400,
    )
    signature = twin_signature(SignatureAlgorithm.ECDSA_SHA256)
    times = made.validity.starting(1_795_000_000)
    algorithm = SignatureAlgorithm.ECDSA_SHA256
    certificate = tbs.certificate(tbs.assemble(made, *times), algorithm, signature)
    assert codes(certificate, listing) == set()
    assert codes(certificate, TLS) == {"cdp.value"}
    assert codes(issue(TLS, P256, NAMES[:1]), listing) == {"cdp.value"}
