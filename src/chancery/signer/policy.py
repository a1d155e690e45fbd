"""The signer's own rules: the last line, whatever the layers above let through.

Each function returns what it read, or raises SignerRefused.  They look at the
octets to be signed and at the key, never at what the caller says about either,
except where the two must agree.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadRequest, SignerRefused
from chancery.domain.keys import CaAuthorisation, CertificateOrder, KeyPurpose
from chancery.signer import tbs
from chancery.signer.binding import ANY_PURPOSE, Binding
from chancery.signer.vault import VaultKey
from chancery.wire import der

MAX_BACKDATE_S: Final = 86_400
"""How far before now a certificate may begin: enough for slow clocks and time zones mistaken."""
MAX_CA_POSTDATE_S: Final = 2 * 366 * 86_400
"""How far ahead a CA certificate may begin: people approved it by its hash, for a takeover."""
MAX_POSTDATE_S: Final = 86_400
"""How far after now a certificate, CRL or OCSP answer may begin."""
EPOCH_S: Final = 1_767_225_600
"""2026-01-01: this code did not exist before, so an earlier clock is wrong."""
MAX_TEXT: Final = 256
"""Characters of an intent id, an approver's name or a reason: they go into the journal."""
MAX_APPROVERS: Final = 32

_CHECKPOINT = re.compile(
    r"(?P<origin>[^\x00-\x1f\x7f]{1,256})\n(?P<size>0|[1-9][0-9]{0,18})\n"
    r"(?P<root>[A-Za-z0-9+/]{43}=)\n(?P<extension>([^\x00-\x1f\x7f]{1,256}\n){0,16})\Z"
)


def _refused(message: str, rule: str, remedy: str | None = None) -> SignerRefused:
    return SignerRefused(message, field="tbs", rule=rule, remedy=remedy)


def _unreadable(error: BadRequest) -> SignerRefused:
    return SignerRefused(str(error), field="tbs", rule=error.rule or "tbs.structure")


def demand(key: VaultKey, *purposes: KeyPurpose) -> None:
    """Refuse a key that was made for something else."""
    if key.info.purpose not in purposes:
        raise SignerRefused(
            f"an {key.info.purpose} key does not sign this",
            field="key_id",
            rule="signer.purpose",
            remedy=f"use a key made for: {', '.join(purposes)}",
        )


def _bound(key: VaultKey) -> Binding:
    if key.binding is None:
        raise SignerRefused(
            "the key is not bound to a CA certificate",
            field="key_id",
            rule="signer.unbound",
            remedy="bind the authority's certificate to it first",
        )
    return key.binding


def _same_hash(data: bytes, sha256: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _refused("the octets are not those that were put on record", "signer.hash")


def _enough(approvers: Sequence[str], needed: int) -> None:
    """*needed* distinct people; case and blanks do not make two of one."""
    if len(approvers) > MAX_APPROVERS or any(not 0 < len(a) <= MAX_TEXT for a in approvers):
        raise _refused("the list of approvers is malformed", "signer.approvers")
    people = {" ".join(name.split()).casefold() for name in approvers} - {""}
    if len(people) < needed:
        raise _refused(
            f"{len(people)} of {needed} approvers",
            "signer.approvals",
            "have the missing people approve this very content",
        )


def end_entity(key: VaultKey, order: CertificateOrder, now: int) -> tbs.Certificate:
    """May this key sign this end-entity certificate at *now* (Unix seconds)?"""
    demand(key, KeyPurpose.AUTHORITY)
    binding = _bound(key)
    if not 0 < len(order.intent_id) <= MAX_TEXT:
        raise _refused("there is no intent on record", "signer.intent")
    _same_hash(order.tbs, order.tbs_sha256)
    if order.approvers or binding.approvals:
        _enough(order.approvers, binding.approvals)
    try:
        facts = tbs.certificate(order.tbs, order.algorithm)
    except BadRequest as error:
        raise _unreadable(error) from None
    if format(facts.serial, "x") != order.serial:
        raise _refused("the serial number is not the one on record", "signer.serial")
    _issued_by(binding, facts)
    if facts.ca or facts.path_length is not None or facts.netscape_ca:
        raise _refused("a CA certificate without a ceremony", "signer.ca")
    if facts.key_usage and facts.key_usage & (tbs.KEY_CERT_SIGN | tbs.CRL_SIGN):
        raise _refused("the key usage of a CA without a ceremony", "signer.key-usage")
    if facts.spki == key.info.spki:
        raise _refused("an end-entity certificate for the CA key itself", "signer.own-key")
    _inside(binding, facts, now)
    if facts.not_before < now - MAX_BACKDATE_S:
        raise _refused("it begins too long ago", "signer.backdate")
    _purposes_inside(binding, facts)
    return facts


def _issued_by(binding: Binding, facts: tbs.Certificate) -> None:
    if facts.issuer != binding.facts.subject:
        raise _refused("it names another issuer than the key's own", "signer.issuer")


def _inside(
    binding: Binding, facts: tbs.Certificate, now: int, most_ahead_s: int = MAX_POSTDATE_S
) -> None:
    """It ends no later than its issuer, and begins about now, while the issuer is valid.

    A beginning slightly before the issuer's own is let pass: a leaf's backdate
    may reach further back than a young CA is old, and nothing validates then.
    """
    issuer = binding.facts
    if now < EPOCH_S:
        raise _refused("the signer's clock is wrong", "signer.clock", "set the clock")
    if not issuer.not_before - MAX_BACKDATE_S <= now <= issuer.not_after:
        raise _refused("the CA certificate is not valid now", "signer.issuer-validity")
    if facts.not_after > issuer.not_after:
        raise _refused("it would outlive its issuer", "signer.validity")
    if facts.not_before > now + most_ahead_s:
        raise _refused("it begins too far in the future", "signer.postdate")
    if facts.not_after <= now:
        raise _refused("it has expired already", "signer.expired")


def _purposes_inside(binding: Binding, facts: tbs.Certificate) -> None:
    """No list at all means every purpose, so where the key has limits a list must be there."""
    allowed = binding.purposes
    if allowed is None or (facts.ekus is not None and facts.ekus <= allowed):
        return
    raise _refused("key purposes outside the key's own list", "signer.eku")


def ca_certificate(
    key: VaultKey,
    algorithm: SignatureAlgorithm,
    data: bytes,
    authorisation: CaAuthorisation,
    now: int,
) -> tbs.Certificate:
    """May this key sign this CA certificate?  Self-signed ones need no binding yet."""
    demand(key, KeyPurpose.AUTHORITY)
    _same_hash(data, authorisation.tbs_sha256)
    _enough(authorisation.approvers, key.ca_approvals)
    if not 0 < len(authorisation.reason) <= MAX_TEXT:
        raise _refused("the authorisation gives no reason", "signer.reason")
    try:
        facts = tbs.certificate(data, algorithm)
    except BadRequest as error:
        raise _unreadable(error) from None
    if not facts.ca:
        raise _refused("an end-entity certificate in a ceremony for CAs", "signer.not-ca")
    if facts.key_usage is not None and not facts.key_usage & tbs.KEY_CERT_SIGN:
        raise _refused("a CA certificate whose key may not sign certificates", "signer.key-usage")
    if now < EPOCH_S or facts.not_after <= now or facts.not_before > now + MAX_CA_POSTDATE_S:
        raise _refused("it has expired, or begins too far in the future", "signer.validity")
    if facts.spki == key.info.spki and facts.subject == facts.issuer:
        if key.binding is not None:
            _issued_by(key.binding, facts)
        return facts
    binding = _bound(key)
    _issued_by(binding, facts)
    _inside(binding, facts, now, MAX_CA_POSTDATE_S)
    _path_inside(binding, facts)
    if ANY_PURPOSE not in (binding.purposes or (ANY_PURPOSE,)):
        _purposes_inside(binding, facts)
    return facts


def _path_inside(binding: Binding, facts: tbs.Certificate) -> None:
    """RFC 5280 §4.2.1.9: one less than the parent's; a self-issued one does not count."""
    parent = binding.facts.path_length
    if parent is None:
        return
    most = parent if facts.subject == facts.issuer else parent - 1
    if facts.path_length is None or facts.path_length > most:
        raise _refused(
            f"the CA below a path length of {parent} must have one of at most {most}"
            if most >= 0
            else "the CA's path length allows no CA below it",
            "signer.path-length",
        )


def request(key: VaultKey, info: bytes) -> None:
    """May this key sign this CertificationRequestInfo?  Only if it asks for this very key."""
    demand(key, KeyPurpose.AUTHORITY, KeyPurpose.OCSP, KeyPurpose.SUBJECT, KeyPurpose.DOOR)
    try:
        wanted = tbs.request_key(info)
    except BadRequest as error:
        raise _unreadable(error) from None
    if wanted != key.info.spki:
        raise _refused("the request carries another key", "signer.key")


def revocation_list(
    key: VaultKey, algorithm: SignatureAlgorithm, data: bytes, now: int
) -> tbs.CertificateList:
    """May this key sign this CRL?"""
    demand(key, KeyPurpose.AUTHORITY)
    binding = _bound(key)
    try:
        facts = tbs.certificate_list(data, algorithm)
    except BadRequest as error:
        raise _unreadable(error) from None
    if facts.issuer != binding.facts.subject:
        raise _refused("it names another issuer than the key's own", "signer.issuer")
    usage = binding.facts.key_usage
    if usage is not None and not usage & tbs.CRL_SIGN:
        raise _refused("the CA certificate does not let its key sign CRLs", "signer.key-usage")
    if facts.this_update > now + MAX_POSTDATE_S:
        raise _refused("it begins too far in the future", "signer.postdate")
    return facts


def ocsp_response(key: VaultKey, data: bytes, now: int) -> None:
    """May this key sign this OCSP ResponseData?"""
    demand(key, KeyPurpose.OCSP, KeyPurpose.AUTHORITY)
    try:
        produced = tbs.response_data(data)
    except BadRequest as error:
        raise _unreadable(error) from None
    if produced > now + MAX_POSTDATE_S:
        raise _refused("it is produced too far in the future", "signer.postdate")


def message(data: bytes, most: int) -> None:
    """Are these octets an answer of a door, and nothing that others would take for more?

    The signed attributes of CMS are a SET; a CMP ProtectedPart begins with a
    PKIHeader, whose first field is an INTEGER that says which version.  No
    certificate, request, CRL or OCSP response begins so.
    """
    try:
        tag, content = der.single(data, None)
        if tag == der.SET and len(data) <= most:
            return
        parts = der.Reader(content if tag == der.SEQUENCE and len(data) <= most else b"")
        header = parts.enter(der.SEQUENCE)
        if der.decode_integer(header.content(der.INTEGER)) not in (1, 2, 3):
            raise _refused("not a message of a door", "signer.message")
    except BadRequest as error:
        raise _unreadable(error) from None


def checkpoint(key: VaultKey, text: bytes, last: str | None) -> str:
    """May an AUDIT key sign this C2SP tlog-checkpoint after the *last* one?

    Returns what to remember of it.  A log only grows, and has one root per
    size: a key that signed two would prove a fork.
    """
    demand(key, KeyPurpose.AUDIT)
    try:
        found = _CHECKPOINT.match(text.decode())
    except UnicodeDecodeError:
        found = None
    if found is None or found["origin"] != found["origin"].strip():
        raise _refused("not the text of a checkpoint", "signer.checkpoint")
    origin, size, root = found["origin"], int(found["size"]), found["root"]
    if last is not None:
        last_size, last_root, last_origin = last.split(" ", 2)
        if origin != last_origin:
            raise _refused("the checkpoint of another log", "signer.origin")
        if size < int(last_size):
            raise _refused(
                f"the log shrank from {last_size} to {size}",
                "signer.checkpoint-size",
                "find out what became of the newest records, or restore them",
            )
        if size == int(last_size) and root != last_root:
            raise _refused("two roots for one size: the log forked", "signer.checkpoint-fork")
    return f"{size} {root} {origin}"
