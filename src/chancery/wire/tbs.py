"""TBSCertificate (RFC 5280 §4.1): compiled once per profile and issuer, then built by joining.

What a profile fixes is encoded when it is compiled.  ``build`` encodes only
serial, subject, key, names and what a requester may add; ``assemble`` fills
in the validity, which alone is still open when a request is approved.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.crl import LISTED, SHARD, SPREAD, shard_part
from chancery.domain.errors import BadKey, BadName, BadRequest, Conflict
from chancery.domain.key_usage import usages_for
from chancery.domain.names import DistinguishedName, GeneralName
from chancery.domain.profile import CustomExtension, ExtensionProfile, KeyUsage, ProfileVersion
from chancery.domain.request import ToBeSigned
from chancery.domain.validity import ValidityRule
from chancery.wire import der
from chancery.wire import extensions as ext
from chancery.wire.algorithms import algorithm_identifier
from chancery.wire.general_names import encode_san
from chancery.wire.names import encode_name

_VERSION_3: Final = der.explicit(0, der.integer(2))
_MAX_SERIAL: Final = (1 << 159) - 1  # 20 octets, positive: RFC 5280 §4.1.2.2
_SKI_LENGTH: Final = 20

_RSA, _EC = "rsa", "ec-"
_SIGN_ONLY: Final = "signature-only"  # Ed25519, ML-DSA, RSASSA-PSS and whatever comes
_FAMILIES: Final = {  # content of the algorithm OID of a SubjectPublicKeyInfo: key family
    der.oid("1.2.840.113549.1.1.1")[2:]: _RSA,
    der.oid("1.2.840.10045.2.1")[2:]: _EC,
}

_SKI_PREFIX: Final = ext.subject_key_identifier(bytes(_SKI_LENGTH))[:-_SKI_LENGTH]
_SAN_OID: Final = der.oid(ext.SUBJECT_ALT_NAME)
_SAN_CRITICAL_OID: Final = _SAN_OID + der.boolean(value=True)


@dataclass(frozen=True, slots=True)
class IssuerContext:
    """What a certificate says of its issuer.

    *name* is the authority's slug, *subject_der* its DER Name, *key_identifier*
    the value of its SKI, *not_after* Unix seconds, *http* the base URL of the
    plain listener.  *partition*: generation and number of the shards of its CRL.
    *listed_by*: (URLs, DER Name) of each other CA whose indirect CRL lists what
    this one issues.
    """

    name: str
    subject_der: bytes
    key_identifier: bytes
    signature_algorithm: SignatureAlgorithm
    not_after: int
    http: str
    partition: tuple[int, int] | None = None
    listed_by: tuple[tuple[tuple[str, ...], bytes], ...] = ()


def _parts_of_key(spki: bytes) -> tuple[bytes, bytes]:
    """(content of the algorithm's OID, key bits) of a SubjectPublicKeyInfo."""
    tag, at, end = der.header(spki, 0, len(spki))
    algorithm, oid_at, bits_at = der.header(spki, at, end)
    oid, oid_from, oid_to = der.header(spki, oid_at, bits_at)
    bits, start, stop = der.header(spki, bits_at, end)
    if (tag, algorithm, oid, bits) != (0x30, 0x30, 0x06, 0x03) or not stop == end == len(spki):
        raise BadKey(
            "not a SubjectPublicKeyInfo",
            field="key",
            rule="key.unreadable",
            remedy="send the key as PKCS #10 or SubjectPublicKeyInfo carries it",
        )
    return spki[oid_from:oid_to], spki[start + 1 : stop]


def key_identifier(spki: bytes) -> bytes:
    """RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256 over the key bits."""
    return hashlib.sha256(_parts_of_key(spki)[1]).digest()[:_SKI_LENGTH]


class CompiledProfile:
    """One version of a profile under one issuer.  Immutable, safe for concurrent use."""

    __slots__ = (
        "_custom",
        "_heads",
        "_issuer",
        "_latest",
        "_middle",
        "_needs_subject",
        "_open",
        "_profile",
        "_tails",
    )

    def __init__(self, version: ProfileVersion, issuer: IssuerContext) -> None:
        profile = version.profile
        self._profile = profile
        self._latest = issuer.not_after
        self._issuer = algorithm_identifier(issuer.signature_algorithm) + issuer.subject_der
        self._heads = _heads(profile)
        self._needs_subject = profile.basic_constraints is not None and profile.basic_constraints.ca
        self._middle = (
            ext.authority_key_identifier(issuer.key_identifier)
            if profile.authority_key_identifier
            else b""
        )
        self._tails = _tails(profile, issuer)
        self._open = {custom.oid: custom for custom in profile.custom if custom.der_hex is None}

    def build(
        self,
        *,
        serial: int,
        subject: DistinguishedName,
        spki: bytes,
        names: tuple[GeneralName, ...],
        extensions: tuple[tuple[str, bytes], ...],
        lasting_s: int,
        identifier: bytes | None = None,
    ) -> ToBeSigned:
        """Encode everything but the validity.

        *spki* is DER, *names* are canonical, *extensions* pair the OIDs of the
        profile's open custom extensions with DER values, *lasting_s* is the
        length of the validity in seconds.  *identifier* is the key's where it
        has one already: certificates below name it (RFC 5280 §4.2.1.2).
        """
        profile = self._profile
        if not 0 < serial <= _MAX_SERIAL:
            raise BadRequest(
                "a serial number outside 1 to 2^159 - 1",
                field="serial",
                rule="serial.range",
                remedy="draw 128 bits from the CSPRNG",
            )
        if not 0 < lasting_s <= profile.max_validity_s:
            raise BadRequest(
                f"a validity of {lasting_s} s where {profile.name} allows {profile.max_validity_s}",
                field="validity",
                rule="validity.max",
                remedy="ask for a shorter validity",
            )
        algorithm, bits = _parts_of_key(spki)
        encoded = self._heads[_FAMILIES.get(algorithm, _SIGN_ONLY)]
        if isinstance(encoded, BadKey):
            raise _again(encoded)
        if profile.subject_key_identifier:
            if identifier is None:
                encoded += _SKI_PREFIX + hashlib.sha256(bits).digest()[:_SKI_LENGTH]
            else:
                encoded += ext.subject_key_identifier(identifier)
        encoded += self._middle
        if names:
            # RFC 5280 §4.2.1.6: the SAN must be critical where the subject is empty.
            oid = _SAN_OID if subject.rdns else _SAN_CRITICAL_OID
            encoded += der.tlv(0x30, oid + der.tlv(0x04, encode_san(names)))
        elif not subject.rdns:
            raise _nameless("a certificate needs a subject or a subject alternative name")
        if self._needs_subject and not subject.rdns:
            raise _nameless("a CA needs a subject (RFC 5280 §4.1.2.6)")
        encoded += self._tails[serial % SPREAD % len(self._tails)]
        if extensions or self._open:
            encoded += self._requested(extensions)
        return ToBeSigned(
            _VERSION_3 + der.integer(serial) + self._issuer,
            encode_name(subject)
            + spki
            + (der.tlv(0xA3, der.tlv(0x30, encoded)) if encoded else b""),
            ValidityRule(lasting_s, profile.backdate_s, self._latest, profile.after_issuer),
        )

    def _requested(self, given: tuple[tuple[str, bytes], ...]) -> bytes:
        """The open custom extensions, in the profile's order whatever the requester's."""
        values = dict(given)
        if len(values) != len(given) or not values.keys() <= self._open.keys():
            raise _refused("an extension given twice, or one the profile leaves no room for")
        parts = []
        for oid, custom in self._open.items():
            if oid in values:
                parts.append(_custom(custom, values[oid]))
            elif custom.required:
                raise _refused(f"extension {oid} is required")
        return b"".join(parts)


def _refused(why: str) -> BadRequest:
    return BadRequest(
        why,
        field="extensions",
        rule="extension.profile",
        remedy="give each open extension of the profile once, as one DER value",
    )


def _nameless(why: str) -> BadName:
    return BadName(
        why, field="subject", rule="name.empty", remedy="give a subject or a name for the SAN"
    )


def _again(reason: BadKey) -> BadKey:
    """A fresh copy: an exception object collects the traceback of each raise."""
    return BadKey(str(reason), field=reason.field, rule=reason.rule, remedy=reason.remedy)


def _custom(custom: CustomExtension, value: bytes) -> bytes:
    try:
        der.single(value)
    except BadRequest:
        raise _refused(f"the value of extension {custom.oid} is not one DER value") from None
    return ext.extension(custom.oid, value, critical=custom.critical)


def _head(profile: ExtensionProfile, usages: tuple[KeyUsage, ...]) -> bytes:
    """What stands before the key identifiers: constraints and usages."""
    parts = []
    if profile.basic_constraints is not None:
        parts.append(ext.basic_constraints(profile.basic_constraints))
    if usages:
        parts.append(ext.key_usage(usages, critical=profile.key_usage_critical))
    if profile.extended_key_usage:
        critical = profile.extended_key_usage_critical
        parts.append(ext.extended_key_usage(profile.extended_key_usage, critical=critical))
    return b"".join(parts)


def _heads(profile: ExtensionProfile) -> dict[str, bytes | BadKey]:
    """One head per family of keys, or the reason why such keys are of no use here."""
    heads: dict[str, bytes | BadKey] = {}
    for family in (_RSA, _EC, _SIGN_ONLY):
        try:
            heads[family] = _head(profile, usages_for(profile.key_usage, family))
        except BadKey as reason:
            heads[family] = reason
    return heads


def fill(templates: Iterable[str], *, http: str, ca: str) -> list[str]:
    """URL templates of an authority filled in: base URL of the listener, label of its key."""
    return [t.replace("{http}", http.rstrip("/")).replace("{ca}", ca) for t in templates]


def _tails(profile: ExtensionProfile, issuer: IssuerContext) -> list[bytes]:
    """One tail; or one for each shard, where certificates point to the CRL of theirs."""
    if not any(SHARD in url for url in profile.cdp):
        return [_tail(profile, issuer, "")]
    if issuer.partition is None:
        raise Conflict(
            f"profile {profile.name} points to a shard, and the CRL of {issuer.name} has none",
            field="profile",
            rule="cdp.shards",
            remedy="`chancery ca edit --crl-shards 16`, or another profile",
        )
    generation, count = issuer.partition
    return [_tail(profile, issuer, shard_part(generation, index)) for index in range(count)]


def _listed_by(
    profile: ExtensionProfile, issuer: IssuerContext
) -> tuple[tuple[tuple[str, ...], bytes], ...]:
    if not issuer.listed_by:
        raise Conflict(
            f"profile {profile.name} points to an indirect CRL, and none lists what {issuer.name}"
            " issues",
            field="profile",
            rule="cdp.indirect",
            remedy=f"`chancery ca edit OTHER --crl-indirect {issuer.name}`, or another profile",
        )
    return issuer.listed_by


def _tail(profile: ExtensionProfile, issuer: IssuerContext, shard: str) -> bytes:
    """What stands after the names: policies, constraints, pointers, and fixed custom ones."""

    def filled(templates: tuple[str, ...]) -> list[str]:
        urls = (url.replace(SHARD, shard) for url in templates)
        return fill(urls, http=issuer.http, ca=issuer.name)

    parts = []
    if profile.policies:
        parts.append(ext.certificate_policies(profile.policies))
    if profile.name_constraints is not None:
        parts.append(ext.name_constraints(profile.name_constraints))
    if profile.cdp:
        own = tuple(url for url in profile.cdp if url != LISTED)
        listed = _listed_by(profile, issuer) if LISTED in profile.cdp else ()
        parts.append(ext.crl_distribution_points(filled(own), listed))
    if profile.freshest_crl:
        parts.append(ext.freshest_crl(filled(profile.freshest_crl)))
    if profile.aia_ocsp or profile.aia_issuers:
        ocsp, issuers = filled(profile.aia_ocsp), filled(profile.aia_issuers)
        parts.append(ext.authority_information_access(ocsp, issuers))
    if profile.ocsp_no_check:
        parts.append(ext.ocsp_no_check())
    if profile.ms_template is not None:
        parts.append(ext.ms_template(profile.ms_template))
    fixed = [(custom, custom.der_hex) for custom in profile.custom]
    parts += [_custom(custom, bytes.fromhex(value)) for custom, value in fixed if value is not None]
    return b"".join(parts)


def compile_profile(version: ProfileVersion, issuer: IssuerContext) -> CompiledProfile:
    """Encode once what *version* fixes for every certificate that *issuer* signs."""
    return CompiledProfile(version, issuer)


def assemble(tbs: ToBeSigned, not_before: int, not_after: int) -> bytes:
    """TBSCertificate, with this validity (Unix seconds, both ends included)."""
    validity = der.tlv(0x30, der.time(not_before) + der.time(not_after))
    return der.tlv(0x30, tbs.before + validity + tbs.after)


def certificate(tbs_der: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """Certificate."""
    return der.tlv(0x30, tbs_der + algorithm_identifier(algorithm) + der.bit_string(signature))


def content_hash(tbs: ToBeSigned) -> str:
    """Hex SHA-256 over all that an approval binds.

    Each part is preceded by its length in 8 octets: *before*, *after*, and the
    validity rule as ``lasting:backdate:latest:after_issuer`` in decimal ASCII.
    """
    rule = tbs.validity
    text = f"{rule.lasting_s}:{rule.backdate_s}:{rule.latest}:{rule.after_issuer.value}"
    digest = hashlib.sha256()
    for part in (tbs.before, tbs.after, text.encode("ascii")):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()
