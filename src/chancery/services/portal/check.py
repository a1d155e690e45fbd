"""A request looked at before it is submitted: what it says, what would become of it, what is wrong.

Nothing is written, nothing is signed, and nothing of it is kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from chancery.domain.errors import BadRequest, CAError
from chancery.domain.identity import Principal
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.profile import Override
from chancery.domain.request import CertificateRequest, Submission
from chancery.domain.san_rules import name_faults, select_names
from chancery.domain.shown import suspicious
from chancery.domain.subject import build_subject
from chancery.ports import Clock, Store
from chancery.services.catalogue import Catalogue
from chancery.services.issuance_records import refuse_blocked
from chancery.services.portal.admission import Admission
from chancery.services.portal.comparison import Line, compare
from chancery.services.preparation import Preparation
from chancery.services.request_access import refuse_duplicates
from chancery.services.requested import requested_names
from chancery.wire import pkcs10
from chancery.wire.describe import describe, describe_request
from chancery.wire.pkcs10 import CertificationRequest
from chancery.wire.tbs import assemble, certificate
from chancery.wire.twin import twin_signature

_EXACT: Final = 1024
"""Characters of a name that are searched for what hides in it."""


class Severity(StrEnum):
    ERROR = "error"  # it would be refused
    WARNING = "warning"  # it would be taken, and somebody should look at this
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know, and what to do about it; as in errors."""

    severity: Severity
    message: str
    field: str | None = None
    rule: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """*request* and *certificate* are decoded (``wire.describe``); None: it did not get so far.

    *der* is the request as it will be submitted.
    """

    der: bytes | None
    request: dict[str, object] | None
    certificate: dict[str, object] | None
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]
    ra: str | None = None
    authority: str | None = None
    approvals: int = 0

    @property
    def fit(self) -> bool:
        """Whether it would be accepted if it were submitted now."""
        return self.certificate is not None and not any(
            finding.severity is Severity.ERROR for finding in self.findings
        )


class CheckService:
    """See the module."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        preparation: Preparation,
        clock: Clock,
        admission: Admission,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._preparation = preparation
        self._clock = clock
        self._admission = admission

    def check(self, principal: Principal, submission: Submission) -> Checked:
        """Look at one submission; its faults are findings and never raised.

        Where the key is to be made here none is made yet: what is shown has a
        key of that kind which nobody has.
        """
        self._admission.looks(principal)
        if submission.csr is None and submission.server_key is not None:
            return self._foreseen(principal, submission)
        if submission.csr is None:
            raise BadRequest("there is no CSR to look at", field="csr", rule="csr.missing")
        try:
            csr = pkcs10.decode(submission.csr)
        except CAError as error:
            return Checked(None, None, None, (), (fault(error),))
        request = describe_request(csr)
        checked = Checked(csr.der, request, None, (), tuple(remarks(csr)))
        faults = [*self._faults(csr, submission)]
        try:
            prepared = self._preparation.prepare(principal, submission)
            faults += self._late_faults(prepared)
        except CAError as error:
            faults.append(error)
            return replace(checked, findings=(*_each_once(faults), *checked.findings))
        return self._becomes(checked, prepared, faults)

    def _foreseen(self, principal: Principal, submission: Submission) -> Checked:
        nothing = Checked(None, None, None, (), ())
        try:
            prepared = self._preparation.pretending().prepare(principal, submission)
        except CAError as error:
            return replace(nothing, findings=(fault(error),))
        return self._becomes(nothing, prepared, [*self._late_faults(prepared)])

    def _becomes(
        self, checked: Checked, prepared: CertificateRequest, faults: list[CAError]
    ) -> Checked:
        content = describe(prepared.tbs)
        del content["serial"]  # a submission gets another one
        return replace(
            checked,
            certificate=content,
            lines=compare(checked.request, content) if checked.request else (),
            findings=(*_each_once(faults), *checked.findings),
            ra=prepared.ra,
            authority=prepared.authority,
            approvals=prepared.approvals_needed,
        )

    def _faults(self, csr: CertificationRequest, submission: Submission) -> Iterator[CAError]:
        """What is wrong with key, names and subject, where preparation stops at the first."""
        try:
            profile = self._catalogue.profile(submission.profile).profile
        except CAError as error:
            yield error
            return
        yield from self._preparation.key_faults(csr, profile)
        yield from name_faults(profile, csr.names)
        try:
            subject = build_subject(
                self._catalogue.dn_profile(profile.dn_profile),
                csr.subject,
                submission.subject,
                may_override=Override.SUBJECT in profile.overrides,
            )
            select_names(profile, csr.names, requested_names(submission, profile), subject)
        except CAError as error:
            yield error

    def _late_faults(self, prepared: CertificateRequest) -> Iterator[CAError]:
        """What only the record knows, and the linter's word on the finished content."""
        with self._store.read() as session:
            looks: tuple[Callable[[], None], ...] = (
                lambda: refuse_blocked(session, [prepared.key_sha256]),
                lambda: refuse_duplicates(session, [prepared]),
            )
            for look in looks:
                try:
                    look()
                except CAError as error:
                    yield error
        version = self._catalogue.pinned(prepared.profile_sha256)
        authority = self._catalogue.authority(prepared.authority)
        template = self._catalogue.template(authority, version)
        algorithm = authority.signature_algorithm
        tbs = assemble(prepared.tbs, *prepared.tbs.validity.starting(self._clock.s()))
        for found in template.lint(certificate(tbs, algorithm, twin_signature(algorithm))):
            yield BadRequest(
                f"the certificate would be faulty: {found}",
                field="csr",
                rule="lint",
                remedy="change what the request asks for, or tell the administrators",
            )


def fault(error: CAError) -> Finding:
    return Finding(Severity.ERROR, str(error), error.field, error.rule, error.remedy)


def _each_once(faults: list[CAError]) -> Iterator[Finding]:
    """The same fault is found on two roads; it is told once."""
    yield from dict.fromkeys(map(fault, faults))


def remarks(csr: CertificationRequest) -> Iterator[Finding]:
    """What is no fault, but should be seen."""
    texts = [a.value for rdn in csr.subject.rdns for a in rdn]
    texts += [name.text for name in csr.names]
    if any(suspicious(text, _EXACT) for text in texts):
        yield Finding(
            Severity.WARNING,
            "names hold characters that cannot be seen, or that change the order of what is read",
            "csr",
            "text.hidden",
            "make the request again with plain letters, unless you meant them",
        )
    if csr.challenge_password is not None:
        yield Finding(
            Severity.WARNING,
            "the request carries a challenge password; it is not used, and whoever decides sees it",
            "csr",
            "csr.challenge-password",
            "leave it empty when the tool asks for it",
        )
    for name in csr.names:
        yield from _name_remarks(name)


def _name_remarks(name: GeneralName) -> Iterator[Finding]:
    if name.kind is not NameKind.DNS:
        return
    if name.value.startswith("*."):
        yield Finding(
            Severity.NOTE,
            f"{name.value} covers every host directly below {name.value[2:]}",
            "csr",
            "name.wildcard",
            "name the hosts one by one, if you know them",
        )
    if "xn--" in name.value:
        yield Finding(
            Severity.NOTE,
            f"{name.value} is an internationalised name: compare it letter by letter",
            "csr",
            "name.idn",
        )
