"""A sample certificate of a profile, for linters and people to judge before the profile counts."""

import hashlib
import ipaddress
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from math import gcd, prod
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.names import SHORT_NAMES, Attribute, DistinguishedName, GeneralName, NameKind
from chancery.domain.profile import ExtensionProfile, ProfileVersion, SanRule
from chancery.ports import Linter, Store
from chancery.wire import documents
from chancery.wire.names import encode_name, parse_text
from chancery.wire.tbs import IssuerContext, assemble, certificate, compile_profile
from chancery.wire.twin import twin_signature

_HOST: Final = "example.org"
_VALUES: Final = {
    "C": "DE",
    "DC": "example",
    "emailAddress": f"sample@{_HOST}",
    "serialNumber": "12345",
    "dnQualifier": "1",
}
_NAMES: Final = {
    NameKind.DNS: _HOST,
    NameKind.EMAIL: f"sample@{_HOST}",
    NameKind.IP: "192.0.2.1",
    NameKind.URI: f"https://{_HOST}/",
    NameKind.UPN: f"sample@{_HOST}",
    NameKind.DIRECTORY: "CN=Sample,O=Example",
    NameKind.REGISTERED_ID: "1.3.6.1.4.1.32473.1",
    NameKind.OTHER: "1.3.6.1.4.1.32473.2;0c0673616d706c65",
}
_ISSUER: Final = "CN=Sample Issuing CA,O=Example,C=DE"
_NULL: Final = b"\x05\x00"
ALGORITHM: Final = SignatureAlgorithm.ECDSA_SHA256


class ProfileLint:
    """Calls a full linter on a sample of a profile that is not in use yet."""

    def __init__(self, store: Store, linter: Linter) -> None:
        self._store = store
        self._linter = linter

    def __call__(self, profile: ExtensionProfile) -> Sequence[str]:
        with self._store.read() as session:
            dn_profile = session.profiles.dn(profile.dn_profile)
        return self._linter(sample(profile, dn_profile))


def sample(
    profile: ExtensionProfile, dn_profile: DnProfile | None, *, complete: bool = False
) -> bytes:
    """A DER certificate as *profile* would make it, signed by a key that is thrown away.

    Attributes that may be left out are, unless it is to be *complete*.
    """
    now = int(time.time())
    version = ProfileVersion(profile, 1, documents.sha256(profile), now, "sample")
    names = tuple(sample_name(rule) for rule in profile.san)
    tbs = compile_profile(version, _issuer(now)).build(
        serial=int.from_bytes(bytes(range(1, 17))),
        subject=_subject(dn_profile, names, complete=complete),
        spki=_key(profile.key_algorithms[0]),
        names=names,
        extensions=tuple(
            (custom.oid, _NULL)
            for custom in profile.custom
            if custom.der_hex is None and (complete or custom.required)
        ),
        lasting_s=profile.validity_s,
    )
    return certificate(
        assemble(tbs, *tbs.validity.starting(now)), ALGORITHM, twin_signature(ALGORITHM)
    )


def sample_name(rule: SanRule) -> GeneralName:
    """A name that suits the suffixes and networks of *rule*; a regex may still refuse it."""
    value = _NAMES[rule.kind]
    if rule.suffixes:
        suffix = rule.suffixes[0].lower()
        host = f"www{suffix}" if suffix.startswith(".") else suffix
        if rule.wildcards and suffix.startswith("."):
            host = f"*{suffix}"
        value = value.replace(_HOST, host)
    elif rule.wildcards:
        value = f"*.{_HOST}"
    if rule.networks:
        network = ipaddress.ip_network(rule.networks[0])
        value = str(network[min(1, network.num_addresses - 1)])
    return GeneralName(rule.kind, value)


_OTHER = encode_name(parse_text("CN=Sample Issuer of Indirect CRLs,O=Example"))


def _issuer(now: int) -> IssuerContext:
    return IssuerContext(
        name="sample",
        subject_der=encode_name(parse_text(_ISSUER)),
        key_identifier=bytes(range(20)),
        signature_algorithm=ALGORITHM,
        not_after=now + 40 * 365 * 86_400,
        http="http://pki.example.org",
        listed_by=((("http://pki.example.org/crl/other/indirect.crl",), _OTHER),),
    )


def _subject(
    dn_profile: DnProfile | None, names: tuple[GeneralName, ...], *, complete: bool
) -> DistinguishedName:
    """One RDN an attribute, and one for those that share a number."""
    hosts = [name.value for name in names if name.kind is NameKind.DNS]
    common_name = hosts[0] if hosts else _HOST
    rdns: list[list[Attribute]] = []
    shared: dict[int, list[Attribute]] = {}
    for rule in dn_profile.attributes if dn_profile else ():
        if not (complete or rule.required or rule.source is ValueSource.FIXED):
            continue
        attribute = Attribute(rule.oid, _sample_value(rule, common_name), rule.syntax)
        if rule.rdn is not None and rule.rdn in shared:
            shared[rule.rdn].append(attribute)
            continue
        rdns.append([attribute])
        if rule.rdn is not None:
            shared[rule.rdn] = rdns[-1]
    return DistinguishedName(tuple(map(tuple, rdns)))


def _sample_value(rule: AttributeRule, common_name: str) -> str:
    short = SHORT_NAMES.get(rule.oid, "")
    value = rule.value or (common_name if short == "CN" else _VALUES.get(short, "Sample"))
    return value[: rule.max_length].ljust(rule.min_length, "x")


_MAKE: Final[dict[str, Callable[[], PublicKeyTypes]]] = {
    "rsa": lambda: _rsa(2048),
    KeyAlgorithm.RSA_2048: lambda: _rsa(2048),
    KeyAlgorithm.RSA_3072: lambda: _rsa(3072),
    KeyAlgorithm.RSA_4096: lambda: _rsa(4096),
    KeyAlgorithm.EC_P256: lambda: ec.generate_private_key(ec.SECP256R1()).public_key(),
    KeyAlgorithm.EC_P384: lambda: ec.generate_private_key(ec.SECP384R1()).public_key(),
    KeyAlgorithm.EC_P521: lambda: ec.generate_private_key(ec.SECP521R1()).public_key(),
    KeyAlgorithm.ED25519: lambda: ed25519.Ed25519PrivateKey.generate().public_key(),
    KeyAlgorithm.ML_DSA_44: lambda: mldsa.MLDSA44PrivateKey.generate().public_key(),
    KeyAlgorithm.ML_DSA_65: lambda: mldsa.MLDSA65PrivateKey.generate().public_key(),
    KeyAlgorithm.ML_DSA_87: lambda: mldsa.MLDSA87PrivateKey.generate().public_key(),
}


@cache
def _key(name: str) -> bytes:
    """A public key of the kind *name*, DER; nobody has the private one."""
    return _MAKE[name]().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _rsa(bits: int) -> rsa.RSAPublicKey:
    """A number of that size without small factors, as good a modulus as any to look at.

    Making a real key takes a second, and somebody is typing.
    """
    for attempt in count():
        octets = hashlib.shake_256(f"sample {bits} {attempt}".encode()).digest(bits // 8)
        modulus = int.from_bytes(octets) | 1 << (bits - 1) | 1
        if gcd(modulus, _SMALL_PRIMES) == 1:
            return rsa.RSAPublicNumbers(65537, modulus).public_key()
    raise AssertionError("unreachable: one number in six will do")


_SMALL_PRIMES: Final = prod(n for n in range(2, 1000) if all(n % d for d in range(2, min(n, 32))))
