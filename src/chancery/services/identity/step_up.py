"""Proving again who one is, before a decision or a change to what one signs in with.

In a joint session each of the two does.  Every proof moves the session to a
new cookie.
"""

from dataclasses import dataclass
from typing import Any

from chancery.domain.errors import BadRequest, NotPermitted, WrongState
from chancery.domain.identity import User
from chancery.domain.web_session import Proof, WebSession
from chancery.ports import Session
from chancery.services.identity.authentication import forgive
from chancery.services.identity.factor_checks import factors_of
from chancery.services.identity.joint_sessions import JointSessions
from chancery.services.identity.session_base import Verify
from chancery.services.identity.session_records import Opened


@dataclass(frozen=True, slots=True)
class StepUpWays:
    """How *name*, whose turn it is, may prove who it is.

    Where there is a second factor it is asked for, not the password.
    *outside*: none of these, so the way they came (CERTIFICATE, PROVIDER) once more.
    """

    name: str
    password: bool
    totp: bool
    passkey: bool
    outside: Proof | None


class StepUp(JointSessions):
    """*name* says which of the two it is; left out, it is whose proof is oldest."""

    def step_up_ways(self, cookie: str) -> StepUpWays | None:
        """Whose turn it is, and how; None where everybody's proof is fresh."""
        since = self._desk.clock.s() - self._desk.policy.step_up_s
        with self._desk.store.read() as session:
            web = self._desk.of(session, cookie)
            stale = web.unproven(since)
            return self._ways(session, web, stale[0]) if web.open and stale else None

    def step_up_password(self, cookie: str, password: str, origin: str, name: str = "") -> Opened:
        """Prove it by the password, where there is no second factor."""
        with self._desk.store.read() as session:
            web = self._desk.of(session, cookie)
            who = self._turn(web, name)
            if not self._ways(session, web, who).password:
                raise _other_way(who)
        checked = self._proof.check(who, password, origin)

        def unit(session: Session) -> Opened:
            web = self._desk.of(session, cookie)
            forgive(session, self._proof.confirm(session, checked))
            return self._stepped_up(session, web, who)

        return self._desk.store.write(unit)

    def step_up_totp(self, cookie: str, code: str, origin: str, name: str = "") -> Opened:
        return self._step_up(cookie, origin, Proof.TOTP, self._by_totp(code), name)

    def step_up_passkey_options(self, cookie: str, name: str = "") -> dict[str, Any]:
        """What the browser's ``navigator.credentials.get`` takes; good for one answer."""

        def unit(session: Session) -> dict[str, Any]:
            web = self._desk.of(session, cookie)
            return self._check.options(session, web, self._turn(web, name))

        return self._desk.store.write(unit)

    def step_up_passkey(self, cookie: str, answer: str, origin: str, name: str = "") -> Opened:
        return self._step_up(cookie, origin, Proof.PASSKEY, self._by_passkey(answer), name)

    def step_up_proven(self, cookie: str, proof: Proof, name: str = "") -> Opened:
        """Take the word of the door, which saw the certificate or asked the provider again."""

        def unit(session: Session) -> Opened:
            web = self._desk.of(session, cookie)
            who = self._turn(web, name)
            if self._ways(session, web, who).outside is not proof:
                raise _other_way(who)
            return self._stepped_up(session, web, who)

        return self._desk.store.write(unit)

    def _step_up(self, cookie: str, origin: str, proof: Proof, verify: Verify, name: str) -> Opened:
        def then(session: Session, web: WebSession, user: User) -> Opened:
            return self._stepped_up(session, web, user.name)

        return self._verified(
            cookie, origin, proof, lambda web: self._turn(web, name), verify, then
        )

    def _turn(self, web: WebSession, name: str) -> str:
        if not web.open:
            raise WrongState("finish signing in first", field="session", rule="session.open")
        if name and name not in web.people:
            raise BadRequest(
                "nobody of that name is signed in here", field="name", rule="step-up.name"
            )
        if name:
            return name
        return web.partner if web.partner_proven_at < web.proven_at and web.partner else web.user

    def _ways(self, session: Session, web: WebSession, name: str) -> StepUpWays:
        factors = factors_of(session, name)
        shown = web.partner_methods if name == web.partner else web.methods
        came = next((p for p in (Proof.CERTIFICATE, Proof.PROVIDER) if p in shown), None)
        return StepUpWays(
            name=name,
            password=came is None and not factors.any,
            totp=factors.totp,
            passkey=bool(factors.passkeys),
            outside=None if factors.any else came,
        )

    def _stepped_up(self, session: Session, web: WebSession, name: str) -> Opened:
        field = "partner_proven_at" if name == web.partner else "proven_at"
        return self._desk.move(session, web, **{field: self._desk.clock.s()})


def _other_way(name: str) -> NotPermitted:
    return NotPermitted(
        f"{name} proves this another way",
        field="method",
        rule="step-up.method",
        remedy="use your second factor, or the certificate or provider you signed in with",
    )
