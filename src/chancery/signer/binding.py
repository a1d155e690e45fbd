"""What ties an AUTHORITY key to its CA certificate, and the limits that follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chancery.domain.errors import CAError, SignerRefused
from chancery.signer import sealing, tbs
from chancery.wire import der
from chancery.wire.algorithms import signature_algorithm_of, verify

ANY_PURPOSE: Final = der.oid("2.5.29.37.0")


@dataclass(frozen=True, slots=True)
class Binding:
    """Limits of one key.  *facts* come from *certificate* (DER).

    *ekus* are dotted OIDs, None for no list; *purposes* the same and the CA
    certificate's own list put together, as DER, ready to compare.  Each order
    needs *approvals* distinct approvers.
    """

    certificate: bytes
    facts: tbs.Certificate
    ekus: tuple[str, ...] | None
    purposes: frozenset[bytes] | None
    approvals: int

    def to_document(self) -> dict[str, object]:
        return {
            "certificate": sealing.encode(self.certificate),
            "ekus": None if self.ekus is None else list(self.ekus),
            "approvals": self.approvals,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], spki: bytes) -> "Binding":
        """Undo ``to_document``."""
        ekus = document["ekus"]
        return bind(
            sealing.decode(document["certificate"]),
            spki,
            None if ekus is None else tuple(ekus),
            document["approvals"],
        )


def bind(certificate: bytes, spki: bytes, ekus: tuple[str, ...] | None, approvals: int) -> Binding:
    """Read a CA certificate for the key *spki*.  Raises SignerRefused.

    A certificate that names itself as issuer must carry the key's own
    signature; one from elsewhere is taken at its word, and can only narrow
    what relying parties will accept.
    """
    try:
        facts, inner, identifier, signature = tbs.signed_certificate(certificate)
        if facts.spki != spki:
            raise _refused("the certificate certifies another key", "bind.key")
        if facts.issuer == facts.subject:
            verify(spki, signature_algorithm_of(identifier), signature, inner)
        purposes = None if ekus is None else frozenset(der.oid(eku) for eku in ekus)
    except SignerRefused:
        raise
    except CAError as error:
        raise _refused(str(error), error.rule or "bind.certificate") from None
    may_sign = facts.key_usage is None or facts.key_usage & tbs.KEY_CERT_SIGN
    if not facts.ca or not may_sign:
        raise _refused("the certificate is not a CA certificate", "bind.ca")
    if facts.ekus is not None and ANY_PURPOSE not in facts.ekus:
        purposes = facts.ekus if purposes is None else purposes & facts.ekus
    return Binding(certificate, facts, ekus, purposes, approvals)


def renew(
    former: Binding, certificate: bytes, spki: bytes, ekus: tuple[str, ...] | None, approvals: int
) -> Binding:
    """Bind a later certificate.  Nothing may loosen: what is not given stays as it was."""
    if ekus is None:
        ekus = former.ekus
    elif former.ekus is not None and not set(ekus) <= set(former.ekus):
        raise _refused("key purposes that were not allowed before", "bind.ekus")
    new = bind(certificate, spki, ekus, max(approvals, former.approvals))
    if new.facts.subject != former.facts.subject:
        raise _refused("the certificate names another subject than before", "bind.subject")
    return new


def _refused(message: str, rule: str) -> SignerRefused:
    return SignerRefused(
        message,
        field="certificate",
        rule=rule,
        remedy="bind the CA certificate that was issued for this key",
    )
