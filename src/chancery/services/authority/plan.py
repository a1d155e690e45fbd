"""One CA certificate to be made: what it will say, settled and linted before anyone approves."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chancery.domain.authority import Authority, AuthorityCertificateKind
from chancery.domain.certificate import Intent
from chancery.domain.errors import LintFailed
from chancery.domain.ids import new_id
from chancery.domain.names import DistinguishedName
from chancery.domain.profile import ProfileVersion
from chancery.ports import Clock, Entropy
from chancery.services.authority.records import REQUEST_PREFIX
from chancery.wire.tbs import IssuerContext, assemble, certificate, compile_profile
from chancery.wire.twin import twin_signature

Lint = Callable[[ProfileVersion], Callable[[bytes], Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """One CA certificate to be made.

    *authority* and *key_id* name the subject where it is one of ours.
    *identifier* is the subjectKeyIdentifier its key has in other certificates.
    *begins* is its notBefore, Unix seconds; None: now, backdated as usual.
    """

    issuer: Authority
    issuer_key_id: str
    context: IssuerContext
    kind: AuthorityCertificateKind
    subject: DistinguishedName
    spki: bytes
    version: ProfileVersion
    authority: str = ""
    key_id: str = ""
    identifier: bytes | None = None
    begins: int | None = None


def intent_of(plan: Plan, lint: Lint, clock: Clock, entropy: Entropy) -> Intent:
    """Exactly what is to be signed; LintFailed if that would be a bad certificate."""
    serial = int.from_bytes(entropy(16)) | 1 << 126
    draft = compile_profile(plan.version, plan.context).build(
        serial=serial,
        subject=plan.subject,
        spki=plan.spki,
        names=(),
        extensions=(),
        lasting_s=plan.version.profile.validity_s,
        identifier=plan.identifier,
    )
    now = clock.ms()
    backdate_s = plan.version.profile.backdate_s
    start = now // 1000 if plan.begins is None else plan.begins + backdate_s
    tbs = assemble(draft, *draft.validity.starting(start))
    algorithm = plan.context.signature_algorithm
    if findings := lint(plan.version)(certificate(tbs, algorithm, twin_signature(algorithm))):
        raise LintFailed(
            "; ".join(findings),
            field="authority",
            rule="lint",
            remedy="change what was asked for; nothing was signed",
        )
    return Intent(
        id=new_id(now, entropy(10)),
        authority=plan.issuer.name,
        key_id=plan.issuer_key_id,
        serial=f"{serial:x}",
        tbs=tbs,
        request_id=f"{REQUEST_PREFIX}{plan.kind.value}:{plan.authority}:{plan.key_id}",
        profile_sha256=plan.version.sha256,
        content_sha256=hashlib.sha256(tbs).hexdigest(),
        created_at=now // 1000,
    )
