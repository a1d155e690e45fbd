"""The second step of signing in: a code, a passkey, a recovery code.

It is the user's own second factor, or that of who is joining the session.
"""

from typing import Any

from chancery.domain.errors import WrongState
from chancery.domain.identity import User
from chancery.domain.web_session import Factors, Proof, WebSession
from chancery.ports import Session
from chancery.services.identity.factor_checks import factors_of
from chancery.services.identity.session_base import SessionBase, Verify, next_state
from chancery.services.identity.session_records import Opened


class FactorAnswers(SessionBase):
    """Each answers with the session under a new cookie, or raises NotAuthenticated or LockedOut."""

    def awaited(self, cookie: str) -> tuple[str, Factors]:
        """Whose second factor comes next, and which there are to choose from."""
        with self._desk.store.read() as session:
            name = _awaited(self._desk.of(session, cookie))
            return name, factors_of(session, name)

    def totp(self, cookie: str, code: str, origin: str) -> Opened:
        """Go on by a code of an authenticator app; each is good once."""
        return self._answer(cookie, origin, Proof.TOTP, self._by_totp(code))

    def recovery(self, cookie: str, code: str, origin: str) -> Opened:
        """Go on by a recovery code; each is good once."""
        return self._answer(cookie, origin, Proof.RECOVERY, self._by_recovery(code))

    def passkey_options(self, cookie: str) -> dict[str, Any]:
        """What the browser's ``navigator.credentials.get`` takes; good for one answer."""

        def unit(session: Session) -> dict[str, Any]:
            web = self._desk.of(session, cookie)
            return self._check.options(session, web, _awaited(web))

        return self._desk.store.write(unit)

    def passkey(self, cookie: str, answer: str, origin: str) -> Opened:
        """Go on by a passkey; *answer* is the browser's, as JSON."""
        return self._answer(cookie, origin, Proof.PASSKEY, self._by_passkey(answer))

    def _answer(self, cookie: str, origin: str, proof: Proof, verify: Verify) -> Opened:
        def then(session: Session, web: WebSession, user: User) -> Opened:
            if web.joining:
                return self._joined(session, web, user, (Proof.PASSWORD, proof), origin)
            methods = (*web.methods, proof)
            state = next_state(session, user, methods, self._desk.policy)
            now = self._desk.clock.s()
            opened = self._desk.move(session, web, methods=methods, state=state, proven_at=now)
            self._signed_in(session, opened.session, origin)
            return opened

        return self._verified(cookie, origin, proof, _awaited, verify, then)

    def _joined(
        self, session: Session, web: WebSession, user: User, shown: tuple[Proof, ...], origin: str
    ) -> Opened:
        raise NotImplementedError


def _awaited(web: WebSession) -> str:
    if not web.awaited:
        raise WrongState("no second factor is awaited here", rule="session.factor")
    return web.awaited
