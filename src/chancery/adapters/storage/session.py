"""One transaction's view of everything on record."""

from functools import cached_property

from chancery.adapters.storage.acme import SqlAcme
from chancery.adapters.storage.audit import SqlAuditTrail
from chancery.adapters.storage.authorities import SqlAuthorities
from chancery.adapters.storage.backups import SqlBackups
from chancery.adapters.storage.certificates import SqlCertificates
from chancery.adapters.storage.crl_lists import SqlCrlLists
from chancery.adapters.storage.crls import SqlCrls
from chancery.adapters.storage.custody import SqlCustody
from chancery.adapters.storage.enrolment import SqlDoors, SqlEnrolments
from chancery.adapters.storage.estate import SqlEstates
from chancery.adapters.storage.figures import SqlFigures
from chancery.adapters.storage.idempotency import SqlIdempotency
from chancery.adapters.storage.identities import SqlIdentities
from chancery.adapters.storage.jobs import SqlJobs
from chancery.adapters.storage.keys import SqlKeys
from chancery.adapters.storage.link import Link
from chancery.adapters.storage.lint_results import SqlLintResults
from chancery.adapters.storage.operations import SqlOperations
from chancery.adapters.storage.outbox import SqlNotifications
from chancery.adapters.storage.portal import SqlPortal
from chancery.adapters.storage.profiles import SqlProfiles
from chancery.adapters.storage.publications import SqlPublications
from chancery.adapters.storage.registrations import SqlRegistrations
from chancery.adapters.storage.requests import SqlRequests
from chancery.adapters.storage.rules import SqlPolicyHistory, SqlQuotas
from chancery.adapters.storage.saved_filters import SqlSavedFilters
from chancery.adapters.storage.second_factors import SqlSecondFactors
from chancery.adapters.storage.statuses import SqlStatuses
from chancery.adapters.storage.vouched import SqlVouchedAccounts
from chancery.adapters.storage.web_sessions import SqlWebSessions


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
    def policy_history(self) -> SqlPolicyHistory:
        return SqlPolicyHistory(self._link)

    @cached_property
    def quotas(self) -> SqlQuotas:
        return SqlQuotas(self._link)

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
    def crl_lists(self) -> SqlCrlLists:
        return SqlCrlLists(self._link)

    @cached_property
    def publications(self) -> SqlPublications:
        return SqlPublications(self._link)

    @cached_property
    def statuses(self) -> SqlStatuses:
        return SqlStatuses(self._link)

    @cached_property
    def identities(self) -> SqlIdentities:
        return SqlIdentities(self._link)

    @cached_property
    def web_sessions(self) -> SqlWebSessions:
        return SqlWebSessions(self._link)

    @cached_property
    def factors(self) -> SqlSecondFactors:
        return SqlSecondFactors(self._link)

    @cached_property
    def vouched(self) -> SqlVouchedAccounts:
        return SqlVouchedAccounts(self._link)

    @cached_property
    def portal(self) -> SqlPortal:
        return SqlPortal(self._link)

    @cached_property
    def estates(self) -> SqlEstates:
        return SqlEstates(self._link)

    @cached_property
    def doors(self) -> SqlDoors:
        return SqlDoors(self._link)

    @cached_property
    def enrolments(self) -> SqlEnrolments:
        return SqlEnrolments(self._link)

    @cached_property
    def acme(self) -> SqlAcme:
        return SqlAcme(self._link)

    @cached_property
    def custody(self) -> SqlCustody:
        return SqlCustody(self._link)

    @cached_property
    def audit(self) -> SqlAuditTrail:
        return SqlAuditTrail(self._link)

    @cached_property
    def idempotency(self) -> SqlIdempotency:
        return SqlIdempotency(self._link)

    @cached_property
    def lint(self) -> SqlLintResults:
        return SqlLintResults(self._link)

    @cached_property
    def backups(self) -> SqlBackups:
        return SqlBackups(self._link)

    @cached_property
    def jobs(self) -> SqlJobs:
        return SqlJobs(self._link)

    @cached_property
    def notifications(self) -> SqlNotifications:
        return SqlNotifications(self._link)

    @cached_property
    def operations(self) -> SqlOperations:
        return SqlOperations(self._link)

    @cached_property
    def saved_filters(self) -> SqlSavedFilters:
        return SqlSavedFilters(self._link)

    @cached_property
    def keys(self) -> SqlKeys:
        return SqlKeys(self._link)

    @cached_property
    def figures(self) -> SqlFigures:
        return SqlFigures(self._link)
