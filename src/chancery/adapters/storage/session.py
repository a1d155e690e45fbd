"""One transaction's view of everything on record."""

from functools import cached_property

from chancery.adapters.storage.audit import SqlAuditTrail
from chancery.adapters.storage.authorities import SqlAuthorities
from chancery.adapters.storage.certificates import SqlCertificates
from chancery.adapters.storage.crls import SqlCrls
from chancery.adapters.storage.idempotency import SqlIdempotency
from chancery.adapters.storage.identities import SqlIdentities
from chancery.adapters.storage.link import Link
from chancery.adapters.storage.lint_results import SqlLintResults
from chancery.adapters.storage.profiles import SqlProfiles
from chancery.adapters.storage.registrations import SqlRegistrations
from chancery.adapters.storage.requests import SqlRequests


class SqlSession:
    """Implements ``ports.Session``; most units touch two or three of its parts."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @cached_property
    def authorities(self) -> SqlAuthorities:
        return SqlAuthorities(self._link)

    @cached_property
    def profiles(self) -> SqlProfiles:
        return SqlProfiles(self._link)

    @cached_property
    def registrations(self) -> SqlRegistrations:
        return SqlRegistrations(self._link)

    @cached_property
    def requests(self) -> SqlRequests:
        return SqlRequests(self._link)

    @cached_property
    def certificates(self) -> SqlCertificates:
        return SqlCertificates(self._link)

    @cached_property
    def crls(self) -> SqlCrls:
        return SqlCrls(self._link)

    @cached_property
    def identities(self) -> SqlIdentities:
        return SqlIdentities(self._link)

    @cached_property
    def audit(self) -> SqlAuditTrail:
        return SqlAuditTrail(self._link)

    @cached_property
    def idempotency(self) -> SqlIdempotency:
        return SqlIdempotency(self._link)

    @cached_property
    def lint(self) -> SqlLintResults:
        return SqlLintResults(self._link)
