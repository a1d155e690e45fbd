"""genm: what a client may want to know of the CA (RFC 9483 §4.3)."""

from collections.abc import Callable
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.dn_profile import DnProfile, ValueSource
from chancery.domain.errors import BadRequest
from chancery.domain.names import Attribute, DistinguishedName
from chancery.domain.profile import ExtensionProfile
from chancery.protocols.cmp.talk import Answer, Asked
from chancery.services.catalogue import Catalogue
from chancery.services.enrolment import EnrolmentDesk
from chancery.wire import ca_certificate, cmp, crl_reading, crmf, der, extensions
from chancery.wire.certification import RequestedExtension, decode_extensions
from chancery.wire.cmp import Info
from chancery.wire.cmp_kinds import Body
from chancery.wire.key_kinds import IDENTIFIERS

_IT: Final = "1.3.6.1.5.5.7.4."
SIGNING_KEYS: Final = _IT + "2"
CURRENT_CRL: Final = _IT + "6"
CA_CERTS: Final = _IT + "17"
ROOT_UPDATE: Final = _IT + "18"
REQUEST_TEMPLATE: Final = _IT + "19"
ROOT_CERT: Final = _IT + "20"
CRL_STATUS: Final = _IT + "22"
CRLS: Final = _IT + "23"
_MOST: Final = 8


class Informing:
    """See the module."""

    def __init__(self, desk: EnrolmentDesk, catalogue: Catalogue) -> None:
        self._desk = desk
        self._catalogue = catalogue
        self._answers: Final[dict[str, Callable[[Asked, Info], Info]]] = {
            CA_CERTS: self._issuers,
            ROOT_CERT: self._root_update,
            REQUEST_TEMPLATE: self._template,
            CRL_STATUS: self._crls,
            SIGNING_KEYS: self._signing_keys,
            CURRENT_CRL: lambda asked, _: Info(CURRENT_CRL, self._desk.crl(asked.door)),
        }

    def answer(self, asked: Asked) -> Answer:
        """Each piece that we know of; one without a value where there is nothing to tell."""
        wanted = cmp.read_info(der.single(asked.message.content, der.SEQUENCE)[1])
        if len(wanted) > _MOST:
            raise cmp.bad("too many questions at once", "cmp.info")
        known = [self._answers[one.oid](asked, one) for one in wanted if one.oid in self._answers]
        if wanted and not known:
            raise BadRequest(
                f"nothing is known here about {wanted[0].oid}",
                field="infoType",
                rule="cmp.info",
                remedy="ask for CA certificates, root update, request template or CRLs",
            )
        return Answer(Body.GENP, cmp.encode_info(known))

    def _issuers(self, asked: Asked, _: Info) -> Info:
        """caCerts: the chain of the CA without its root, or the root where it stands alone."""
        chain = self._desk.issuers(asked.door)
        return Info(CA_CERTS, der.sequence(*(chain[:-1] or chain)))

    def _root_update(self, asked: Asked, wish: Info) -> Info:
        """rootCaKeyUpdate: the root in force, for who holds one before it; else nothing."""
        root = self._root(asked)
        if wish.value is None or wish.value == root:
            return Info(ROOT_UPDATE)
        held = ca_certificate.decode(wish.value)
        if not held.self_issued:
            raise BadRequest("what was sent is no root", field="rootCaCert", rule="cmp.info")
        same = held.subject_der == ca_certificate.decode(root).subject_der
        return Info(ROOT_UPDATE, der.sequence(root) if same else None)

    def _root(self, asked: Asked) -> bytes:
        """The current certificate at the top, also while the CAs below still chain to the last."""
        authority = self._desk.authority(asked.door)
        while authority.parent is not None:
            authority = self._catalogue.authority(authority.parent)
        found = authority.chain[-1] if authority.chain else authority.certificate
        return found or self._desk.issuers(asked.door)[-1]

    def _signing_keys(self, asked: Asked, _: Info) -> Info:
        """signKeyPairTypes: the kinds of key that the profile takes (RFC 9810 §5.3.19.2)."""
        allowed = self._catalogue.profile(asked.door.profile).profile.key_algorithms
        kinds = [IDENTIFIERS[kind] for kind in IDENTIFIERS if kind.value in allowed]
        if any(name.startswith("rsa") for name in allowed):
            kinds.insert(0, der.sequence(der.oid("1.2.840.113549.1.1.1"), der.NULL))
        return Info(SIGNING_KEYS, der.sequence(*kinds))

    def _template(self, asked: Asked, _: Info) -> Info:
        """certReqTemplate: what the door's profile makes of a request, told beforehand."""
        profile = self._catalogue.profile(asked.door.profile).profile
        names = self._catalogue.dn_profile(profile.dn_profile)
        return Info(REQUEST_TEMPLATE, _content(profile, names))

    def _crls(self, asked: Asked, wish: Info) -> Info:
        """crls: the current one, unless the client has it already."""
        current = self._desk.crl(asked.door)
        issued = crl_reading.decode(current).this_update
        if wish.value is not None and issued <= _newest(wish.value):
            return Info(CRLS)
        return Info(CRLS, der.sequence(current))


def _newest(value: bytes) -> int:
    """thisUpdate of what the client has; 0: it has none (CRLStatusListValue)."""
    reader = der.Reader(der.single(value, der.SEQUENCE)[1])
    newest = 0
    for _ in range(_MOST):
        if not reader:
            break
        one = reader.enter(der.SEQUENCE)
        one.read()  # which CRL: this door has one
        if one:
            tag, content, _ = one.read()
            newest = max(newest, der.decode_time(tag, content))
    return newest


def _subject(names: DnProfile) -> DistinguishedName:
    """What a profile fixes, and, without a value, what the client must fill in."""
    found: list[tuple[Attribute]] = []
    for rule in names.attributes:
        if rule.source is ValueSource.FIXED or (
            rule.source is ValueSource.DEFAULT and rule.value is not None
        ):
            found.append((Attribute(rule.oid, rule.value or "", rule.syntax),))
        elif rule.source is ValueSource.CSR and rule.required:
            found.append((Attribute(rule.oid, "", rule.syntax),))
    return DistinguishedName(tuple(found))


def _content(profile: ExtensionProfile, names: DnProfile) -> bytes:
    """DER CertReqTemplateContent: a CertTemplate, and the kinds of key that are taken."""
    wanted: list[RequestedExtension] = []
    if profile.key_usage:
        usage = extensions.key_usage(profile.key_usage, critical=profile.key_usage_critical)
        wanted += decode_extensions(der.Reader(usage))
    if profile.extended_key_usage:
        purposes = extensions.extended_key_usage(profile.extended_key_usage, critical=False)
        wanted += decode_extensions(der.Reader(purposes))
    subject = _subject(names)
    template = crmf.Template(subject=subject if subject.rdns else None, extensions=tuple(wanted))
    kinds = [kind for kind in KeyAlgorithm if _taken(kind, profile.key_algorithms)]
    specs = der.sequence(*map(_key_spec, kinds)) if kinds else b""
    return der.sequence(crmf.encode_template(template), specs)


def _taken(kind: KeyAlgorithm, allowed: tuple[str, ...]) -> bool:
    return kind.value in allowed or ("rsa" in allowed and kind.value.startswith("rsa-"))


def _key_spec(kind: KeyAlgorithm) -> bytes:
    """algId or rsaKeyLen, the controls of RFC 9480 §2.16."""
    family, _, size = kind.value.partition("-")
    if family == "rsa":
        return der.sequence(der.oid("1.3.6.1.5.5.7.5.1.12"), der.integer(int(size)))
    return der.sequence(der.oid("1.3.6.1.5.5.7.5.1.11"), IDENTIFIERS[kind])
