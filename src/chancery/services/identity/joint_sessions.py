"""Two people in one session: the second member of a group that requires two logins."""

from chancery.domain.audit import AuditEvent
from chancery.domain.errors import BadRequest, NotAuthenticated, NotPermitted, WrongState
from chancery.domain.identity import AuthMethod, User
from chancery.domain.web_session import Proof, SessionState, WebSession
from chancery.ports import Session
from chancery.services.identity.authentication import forgive
from chancery.services.identity.factor_checks import factors_of
from chancery.services.identity.principals import groups_of
from chancery.services.identity.session_answers import FactorAnswers
from chancery.services.identity.session_base import next_state
from chancery.services.identity.session_records import Opened, described


class JointSessions(FactorAnswers):
    """A joint session is one object: it ends with either of the two.

    Its principal carries the name of the user, and ``partner``; groups that
    require two logins count in it where both are members.
    """

    def join_begin(self, cookie: str, name: str, password: str, origin: str) -> Opened:
        """Let *name* sign in as the second; where it has a second factor, that is ``awaited``."""
        checked = self._proof.check(name, password, origin)

        def unit(session: Session) -> Opened:
            web = self._desk.of(session, cookie)
            user = self._proof.confirm(session, checked)
            self._may_join(session, web, user)
            if factors_of(session, user.name).any:
                return self._desk.move(session, web, joining=user.name)
            return self._joined(session, web, user, (Proof.PASSWORD,), origin)

        return self._desk.store.write(unit)

    def join_proven(self, cookie: str, name: str, proof: Proof, origin: str) -> Opened:
        """Let *name* join, whose client certificate or OpenID provider the door has seen."""

        def unit(session: Session) -> Opened:
            web = self._desk.of(session, cookie)
            user = session.identities.user(name)
            if user is None or user.disabled:
                raise NotAuthenticated("this opens no account", field="name", rule=proof.value)
            self._may_join(session, web, user)
            return self._joined(session, web, user, (proof,), origin)

        return self._desk.store.write(unit)

    def join_cancel(self, cookie: str) -> WebSession:
        """Go on without whoever was about to join."""

        def unit(session: Session) -> WebSession:
            web = self._desk.of(session, cookie)
            return self._desk.keep(session, web, joining="", challenge="", challenge_until=0)

        return self._desk.store.write(unit)

    def _may_join(self, session: Session, web: WebSession, user: User) -> None:
        if not web.open or web.partner:
            raise WrongState(
                "two have signed in here already" if web.partner else "the first is not done yet",
                field="session",
                rule="joint.open",
                remedy="sign out, and begin again" if web.partner else None,
            )
        if user.name == web.user:
            raise BadRequest(
                "the second must be somebody else",
                field="name",
                rule="joint.two-people",
                remedy="have another member of the group sign in",
            )
        first = session.identities.user(web.user)
        mine = first.groups if first is not None else frozenset()
        shared = [g for g in groups_of(session, user) if g.logins_required > 1 and g.name in mine]
        if not shared:
            raise NotPermitted(
                f"{web.user} and {user.name} share no group that requires two logins",
                field="name",
                rule="joint.group",
                remedy="have another member of the group sign in",
            )
        shown = (Proof.PASSWORD, Proof.TOTP)  # a second factor is asked for apart from this
        if next_state(session, user, shown, self._desk.policy) is not SessionState.OPEN:
            raise WrongState(
                f"{user.name} must change the password or enrol a second factor first",
                field="name",
                rule="joint.unfinished",
                remedy="sign in alone, do that, and then join",
            )

    def _joined(
        self, session: Session, web: WebSession, user: User, shown: tuple[Proof, ...], origin: str
    ) -> Opened:
        """Make *user* the second; checked again, for time may have passed since the password."""
        self._may_join(session, web, user)
        forgive(session, user)
        opened = self._desk.move(
            session,
            web,
            joining="",
            partner=user.name,
            partner_methods=shown,
            partner_proven_at=self._desk.clock.s(),
            csrf=self._desk.secret(),
        )
        event = AuditEvent(
            "session.joined",
            web.user,
            AuthMethod.SESSION.value,
            origin,
            user.name,
            details=described(opened.session) | {"shown": [proof.value for proof in shown]},
        )
        session.audit.append([event], self._desk.clock.ms())
        return opened
