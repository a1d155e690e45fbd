"""What comes before a signature: each piece of work understood, judged, and linted as a twin.

A batch takes each step together: reading, proving possession, settling the
content and linting cost about the same, and each has caches of its own.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from chancery.domain.audit import AuditEvent
from chancery.domain.certificate import CertificateRecord, Intent
from chancery.domain.dn_profile import Uniqueness
from chancery.domain.errors import LintFailed, WrongState
from chancery.domain.identity import Principal
from chancery.domain.ids import new_id
from chancery.domain.request import CertificateRequest, RequestState
from chancery.ports import Clock, Entropy, Session
from chancery.services.catalogue import Catalogue, Template
from chancery.wire.tbs import assemble, certificate
from chancery.wire.twin import twin_signature

T = TypeVar("T")


class Steps(Protocol):
    """What makes a request of a submission: see ``preparation.Examination``."""

    def read(self) -> None: ...
    def prove(self) -> None: ...
    def settle(self) -> CertificateRequest: ...


@dataclass(frozen=True, slots=True)
class Submitted:
    """Where a piece of work ended: *certificate* is None while people must still approve.

    *code* lets an anonymous requester come back; it is shown once and kept only as a hash.
    """

    request: CertificateRequest
    code: str | None
    certificate: CertificateRecord | None


Together = Callable[[Session], list[AuditEvent]]
"""What goes on record in the commit that records a request, or not at all; its events."""


@dataclass(frozen=True, slots=True)
class Work:
    """One request on its way: still to be prepared, or already on record."""

    principal: Principal
    source: Steps | CertificateRequest
    approvers: tuple[str, ...] = ()
    code: str | None = None
    note: str = ""
    together: "Together | None" = None
    done: "Future[Submitted]" = field(default_factory=Future)

    @property
    def fresh(self) -> bool:
        return not isinstance(self.source, CertificateRequest)


@dataclass(frozen=True, slots=True)
class Intended:
    """Exactly what will be signed, and from which template."""

    intent: Intent
    template: Template
    validity: tuple[int, int]
    uniqueness: Uniqueness


@dataclass(frozen=True, slots=True)
class Piece:
    """Prepared work.  *intended* is None while people must still approve."""

    work: Work
    request: CertificateRequest
    intended: Intended | None

    @property
    def certain(self) -> Intended:
        assert self.intended is not None
        return self.intended


class Rehearsal:
    """Turns work into pieces that are ready to be put on record."""

    def __init__(
        self,
        catalogue: Catalogue,
        clock: Clock,
        entropy: Entropy,
        give_up: Callable[[Work, Exception], None],
    ) -> None:
        """*give_up* gets the work that fails a step, and why."""
        self._catalogue = catalogue
        self._clock = clock
        self._entropy = entropy
        self._give_up = give_up

    def prepare(self, batch: list[Work]) -> list[Piece]:
        """Take each step with the whole batch before the next; who fails one leaves."""
        for step in (_read, _prove):
            batch = [work for work in batch if self._taken(work, step)]
        settled = [(work, request) for work in batch if (request := self._taken(work, _settle))]
        return [
            piece
            for work, request in settled
            if (piece := self._taken(work, partial(self._piece, request)))
        ]

    def _taken(self, work: Work, step: Callable[[Work], T]) -> T | None:
        try:
            return step(work)
        except Exception as error:  # noqa: BLE001 - the caller of enqueue() gets it, bug or not
            self._give_up(work, error)
            return None

    def _piece(self, request: CertificateRequest, work: Work) -> Piece:
        approved = request.state is RequestState.APPROVED
        return Piece(work, request, self._rehearse(request) if approved else None)

    def _rehearse(self, request: CertificateRequest) -> Intended:
        """Settle the validity, lint a twin that no key of ours signed, and shape the intent."""
        version = self._catalogue.pinned(request.profile_sha256)
        template = self._catalogue.template(self._catalogue.authority(request.authority), version)
        if not template.fits(request.tbs):
            raise WrongState(
                f"{request.authority} changed its key since this content was fixed",
                field="authority",
                rule="content.bound",
                remedy="edit the request, so that the new content can be approved",
            )
        now = self._clock.ms()
        validity = request.tbs.validity.starting(now // 1000)
        tbs = assemble(request.tbs, *validity)
        algorithm = template.authority.signature_algorithm
        if findings := template.lint(certificate(tbs, algorithm, twin_signature(algorithm))):
            raise LintFailed(
                f"profile {request.profile}: {'; '.join(findings)}",
                field="profile",
                rule="lint",
                remedy="the profile or the request's names must change; nothing was signed",
            )
        intent = Intent(
            id=new_id(now, self._entropy(10)),
            authority=request.authority,
            key_id=template.key_id,
            serial=request.serial,
            tbs=tbs,
            request_id=request.id,
            profile_sha256=request.profile_sha256,
            content_sha256=request.content_sha256,
            created_at=now // 1000,
        )
        uniqueness = self._catalogue.dn_profile(version.profile.dn_profile).uniqueness
        return Intended(intent, template, validity, uniqueness)


def _read(work: Work) -> bool:
    if not isinstance(work.source, CertificateRequest):
        work.source.read()
    return True


def _prove(work: Work) -> bool:
    if not isinstance(work.source, CertificateRequest):
        work.source.prove()
    return True


def _settle(work: Work) -> CertificateRequest:
    source = work.source
    return source if isinstance(source, CertificateRequest) else source.settle()
