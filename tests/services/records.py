"""Records to put into a store: plausible in size and shape, all different."""

import hashlib
import itertools
from dataclasses import replace
from typing import Any

from chancery.domain.audit import AuditEvent
from chancery.domain.certificate import CertificateRecord, Intent
from chancery.domain.ids import new_id
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.request import CertificateRequest, RequestKind, RequestState, ToBeSigned
from chancery.domain.validity import LeafAfterIssuer, ValidityRule

NOW = 1_790_000_000
_COUNTER = itertools.count(1)


def _hex(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def request(**changes: Any) -> CertificateRequest:
    """A pending request of about 3.5 KB."""
    n = next(_COUNTER)
    seed = _hex("request", n)
    filler = bytes.fromhex(seed)
    made = CertificateRequest(
        id=new_id(NOW * 1000 + n, filler),
        state=RequestState.PENDING,
        kind=RequestKind.NEW,
        ra="staff",
        authority="issuing",
        profile="tls-server",
        profile_sha256=_hex("profile"),
        requester="rita",
        subject=f"CN=host-{seed[:12]}.example.org,O=Example",
        names=(GeneralName(NameKind.DNS, f"host-{seed[:12]}.example.org"),),
        key_sha256=_hex("key", n),
        key_algorithm="ec-p256",
        serial="5" + _hex("serial", n)[:39],  # a serial in hex never begins with 0
        tbs=ToBeSigned(
            filler * 4, filler * 18, ValidityRule(86_400, 60, 2**31, LeafAfterIssuer.TRUNCATE)
        ),
        content_sha256=_hex("content", n),
        csr=filler * 14,
        server_key_id=None,
        approvals_needed=1,
        submission='{"csr":"' + seed * 10 + '","profile":"tls-server"}',
        created_at=NOW,
        expires_at=NOW + 86_400,
    )
    return replace(made, **changes)


def intent(of: CertificateRequest, **changes: Any) -> Intent:
    made = Intent(
        id=new_id(NOW * 1000, bytes.fromhex(of.content_sha256)),
        authority=of.authority,
        key_id="issuing-1",
        serial=of.serial,
        tbs=of.tbs.before + of.tbs.after,
        request_id=of.id,
        profile_sha256=of.profile_sha256,
        content_sha256=of.content_sha256,
        created_at=NOW,
    )
    return replace(made, **changes)


def certificate(of: CertificateRequest, **changes: Any) -> CertificateRecord:
    """What comes of *of* once signed; its id sorts like the request's."""
    made = CertificateRecord(
        id=of.id[:-4] + "cccc",
        authority=of.authority,
        serial=of.serial,
        subject=of.subject,
        names=of.names,
        not_before=NOW - 60,
        not_after=NOW + 90 * 86_400,
        key_sha256=of.key_sha256,
        sha256=_hex("certificate", of.id),
        profile=of.profile,
        profile_sha256=of.profile_sha256,
        request_id=of.id,
        requester=of.requester,
        der=of.tbs.before + of.tbs.after + bytes(80),
        issued_at=NOW,
    )
    return replace(made, **changes)


def event(action: str = "request.submitted", subject_id: str = "x", **details: Any) -> AuditEvent:
    return AuditEvent(action, "rita", "token", "192.0.2.7", subject_id, details=details)
