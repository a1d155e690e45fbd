"""What every part of signing in stands on: the states of a sign-in, and proofs that count."""

from collections.abc import Callable
from typing import Final

from chancery.domain.audit import AuditEvent
from chancery.domain.errors import NotAuthenticated
from chancery.domain.identity import AuthMethod, User
from chancery.domain.web_session import Proof, SessionState, WebSession
from chancery.ports import Session
from chancery.services.identity.authentication import Authentication, forgive
from chancery.services.identity.factor_checks import FactorCheck, factors_of
from chancery.services.identity.failures import locked_out
from chancery.services.identity.policy import IdentityPolicy
from chancery.services.identity.session_records import Opened, SessionDesk, described

SECOND: Final = frozenset({Proof.TOTP, Proof.PASSKEY, Proof.RECOVERY})

Verify = Callable[[Session, WebSession, str], tuple[str, WebSession]]
"""(rule that was broken, "" if none; the session as it is now) for a name's second factor."""


def next_state(
    session: Session, user: User, methods: tuple[Proof, ...], policy: IdentityPolicy
) -> SessionState:
    """What is left to do for *user*, who has shown *methods*.

    A client certificate and an OpenID provider stand for themselves: who comes
    that way is asked for no more.
    """
    if Proof.PASSWORD not in methods:
        return SessionState.OPEN
    factors = factors_of(session, user.name)
    if factors.any and not SECOND & set(methods):
        return SessionState.NEEDS_FACTOR
    if user.must_change_password:
        return SessionState.MUST_CHANGE_PASSWORD
    if policy.second_factor_required and not factors.any:
        return SessionState.MUST_ENROL_FACTOR
    return SessionState.OPEN


class SessionBase:
    """See the module."""

    def __init__(self, desk: SessionDesk, proof: Authentication, check: FactorCheck) -> None:
        self._desk = desk
        self._proof = proof
        self._check = check

    def _verified(
        self,
        cookie: str,
        origin: str,
        proof: Proof,
        who: Callable[[WebSession], str],
        verify: Verify,
        then: Callable[[Session, WebSession, User], Opened],
    ) -> Opened:
        """Let *who* show a second factor, *then* go on; a failure counts as a wrong password does.

        It is all one unit, which ends well also where the factor was wrong: what
        the attempt used up stays used, and the failure stays on record.
        """

        def unit(session: Session) -> Opened | str:
            web = self._desk.of(session, cookie)
            name = who(web)
            user = session.identities.user(name)
            if user is None or user.disabled:
                raise _wrong("session")
            if self._desk.clock.s() < (user.locked_until or 0):
                raise locked_out()
            broken, web = verify(session, web, name)
            if broken:
                self._proof.count(session, name, proof.value, origin, rule=broken)
                return broken
            return then(session, web, forgive(session, user))

        result = self._desk.store.write(unit)
        if isinstance(result, str):
            raise _wrong(result)
        return result

    def _by_totp(self, code: str) -> Verify:
        def verify(session: Session, web: WebSession, name: str) -> tuple[str, WebSession]:
            return "" if self._check.totp(session, name, code) else "totp.code", web

        return verify

    def _by_recovery(self, code: str) -> Verify:
        def verify(session: Session, web: WebSession, name: str) -> tuple[str, WebSession]:
            return "" if self._check.recovery(session, name, code) else "recovery.code", web

        return verify

    def _by_passkey(self, answer: str) -> Verify:
        def verify(session: Session, web: WebSession, name: str) -> tuple[str, WebSession]:
            question, web = self._check.asked(session, web)
            return self._check.passkey(session, name, question, answer), web

        return verify

    def _signed_in(self, session: Session, web: WebSession, origin: str) -> None:
        """Put it on record that the user of *web* has proved who it is."""
        event = AuditEvent(
            "login.succeeded",
            web.user,
            AuthMethod.SESSION.value,
            origin,
            web.user,
            details=described(web) | {"shown": [proof.value for proof in web.methods]},
        )
        session.audit.append([event], self._desk.clock.ms())


def _wrong(rule: str) -> NotAuthenticated:
    if rule == "passkey.sign-count":
        return NotAuthenticated(
            "this passkey has a copy somewhere: it is not accepted",
            field="passkey",
            rule=rule,
            remedy="sign in another way, remove this passkey and register a new one",
        )
    if rule.startswith("passkey"):
        return NotAuthenticated(
            "the passkey did not prove who you are",
            field="passkey",
            rule=rule,
            remedy="try again, or sign in another way",
        )
    if rule == "session":
        return NotAuthenticated("you are not signed in, or no longer", field="session", rule=rule)
    return NotAuthenticated(
        "the code is wrong, or was used before",
        field="code",
        rule=rule,
        remedy="wait for the next code of your app; each is good once",
    )
