"""Who may ask: signatures on OCSP requests, where an authority wants to see them."""

from chancery.domain.certificate import CertificateStatus
from chancery.domain.errors import BadCSR, BadRequest, NotAuthenticated, NotPermitted
from chancery.domain.status import OcspPolicy, SignedRequests
from chancery.ports import Session
from chancery.services.status.issuer_index import Issuer, Issuers
from chancery.wire import algorithms, ca_certificate
from chancery.wire.ca_certificate import CaCertificate
from chancery.wire.ocsp_signed import request_signature


def check_signature(
    session: Session, issuers: Issuers, policy: OcspPolicy, request: bytes, now: int
) -> None:
    """Raise NotAuthenticated where a signature is missing, NotPermitted where it is not good.

    Good is one by a certificate that a CA of this house issued, which is on
    record, in force, and neither revoked nor held.
    """
    if policy.requests is SignedRequests.IGNORE:
        return
    signature = request_signature(request)
    if signature is None:
        if policy.requests is SignedRequests.REQUIRE:
            raise NotAuthenticated(
                "this authority answers signed requests alone",
                field="request",
                rule="ocsp.signature-required",
                remedy="sign it with a certificate of this house: `openssl ocsp -signer -signkey`",
            )
        return
    if not signature.certificates:
        raise _refused("it does not come with its signer's certificate")
    signer = _decoded(signature.certificates[0])
    try:
        algorithms.verify(signer.spki, signature.algorithm, signature.signature, signature.tbs)
    except BadCSR:
        raise _refused("its signature does not verify") from None
    issuer = _issuer_of(signer, issuers)
    if issuer is None:
        raise _refused("no CA of this house issued its signer's certificate")
    if not signer.not_before <= now <= signer.not_after:
        raise _refused("its signer's certificate is not in force")
    key = (issuer.authority.name, signer.serial)
    standing = session.statuses.standings([key]).found.get(key)
    if standing is None or standing.status is not CertificateStatus.VALID:
        raise _refused("its signer's certificate is not good")


def _decoded(certificate: bytes) -> CaCertificate:
    try:
        return ca_certificate.decode(certificate)
    except BadRequest:
        raise _refused("its signer's certificate cannot be read") from None


def _issuer_of(signer: CaCertificate, issuers: Issuers) -> Issuer | None:
    for issuer in issuers.by_hash.values():
        ca = issuer.key.certificate
        if signer.authority_key_identifier == ca.key_identifier and signer.signed_by(ca):
            return issuer
    return None


def _refused(why: str) -> NotPermitted:
    return NotPermitted(
        f"the signed request is not accepted: {why}", field="request", rule="ocsp.signature"
    )
