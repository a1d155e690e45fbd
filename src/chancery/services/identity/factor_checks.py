"""Second factors, verified inside the unit of work that they count in."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from chancery.domain.errors import CAError, Conflict, WrongState
from chancery.domain.web_session import Factors, TotpSecret, WebSession
from chancery.ports import Session
from chancery.ports_sign_in import FactorTools
from chancery.services.identity.policy import IdentityPolicy
from chancery.services.identity.session_records import SessionDesk

_WINDOW: Final = 1  # time steps that a clock may be off, either way (RFC 6238 §5.2)
_CHALLENGE_OCTETS: Final = 32
_CHALLENGE_S: Final = 120
MAX_ANSWER: Final = 64 * 1024
"""Characters of a browser's WebAuthn answer."""


@dataclass(frozen=True, slots=True)
class FactorCheck:
    """Verifies second factors inside a unit of work."""

    desk: SessionDesk
    tools: FactorTools

    def totp(self, session: Session, name: str, code: str) -> bool:
        """Say whether *code* is right and was never used; it is used from now on."""
        secret = session.factors.totp(name)
        if secret is None:
            return False
        step = self.step(secret, code)
        return step is not None and session.factors.use_step(name, step)

    def recovery(self, session: Session, name: str, code: str) -> bool:
        """Say whether *code* is one of the unused ones; it is used from now on."""
        now = self.desk.clock.s()
        return session.factors.use_recovery_code(name, hash_code(code), now)

    def code(self, session: Session, name: str, code: str) -> bool:
        """Say whether *code* is one of the app, or a recovery code; it is used from now on."""
        return self.totp(session, name, code) or self.recovery(session, name, code)

    def challenge(self, session: Session, web: WebSession) -> bytes:
        """Set the one question that this session's next passkey must answer."""
        question = self.desk.entropy(_CHALLENGE_OCTETS)
        until = self.desk.clock.s() + _CHALLENGE_S
        self.desk.keep(session, web, challenge=question.hex(), challenge_until=until)
        return question

    def asked(self, session: Session, web: WebSession) -> tuple[bytes, WebSession]:
        """Take the question back: it is good for one answer, right or wrong."""
        if not web.challenge or web.challenge_until < self.desk.clock.s():
            raise WrongState(
                "no passkey was asked for, or too long ago",
                field="passkey",
                rule="passkey.challenge",
                remedy="begin again",
            )
        question = bytes.fromhex(web.challenge)
        return question, self.desk.keep(session, web, challenge="", challenge_until=0)

    def options(self, session: Session, web: WebSession, name: str) -> dict[str, Any]:
        """What the browser's ``navigator.credentials.get`` takes."""
        known = session.factors.passkeys(name)
        if not known:
            raise WrongState(
                "this account has no passkey", field="passkey", rule="passkey.registered"
            )
        return self.tools.passkeys.request_options(self.challenge(session, web), known)

    def passkey(self, session: Session, name: str, question: bytes, answer: str) -> str:
        """Return "" if a passkey of the account answered *question*, else the rule it broke."""
        if len(answer) > MAX_ANSWER:
            return "passkey.answer"
        claimed = self.tools.passkeys.credential_id(answer)
        for known in session.factors.passkeys(name):
            if known.id == claimed:
                try:
                    count = self.tools.passkeys.proven(answer, question, known)
                except CAError as error:
                    return error.rule or "passkey.answer"
                session.factors.use_passkey(known.id, count, self.desk.clock.s())
                return ""
        return "passkey.registered"

    def step(self, secret: TotpSecret, code: str) -> int | None:
        """Which time step *code* belongs to; None: to none that is near."""
        plain = self.tools.sealer.open(secret.sealed, context_of(secret.user))
        digits = re.sub(r"\s", "", code[:20])
        return self.tools.codes.step_of(plain, digits, self.desk.clock.s(), window=_WINDOW)


def factors_of(session: Session, name: str) -> Factors:
    """Return what an account can sign in with besides its password."""
    return Factors(
        totp=session.factors.totp(name) is not None,
        passkeys=tuple(session.factors.passkeys(name)),
        recovery_codes=session.factors.recovery_codes_left(name),
    )


def left_of(session: Session, name: str, policy: IdentityPolicy) -> Factors:
    """What is left after a removal; Conflict if that is too little.

    With the last factor go the codes that stood in for it.
    """
    left = factors_of(session, name)
    if not left.any and policy.second_factor_required:
        raise Conflict(
            "a second factor is required here, and this is your last",
            rule="factor.required",
            remedy="enrol another one first",
        )
    if not left.any:
        session.factors.set_recovery_codes(name, [])
        left = factors_of(session, name)
    return left


def hash_code(code: str) -> str:
    """What is kept of a recovery code; case, blanks and dashes do not matter."""
    plain = re.sub(r"[\s-]", "", code[:100]).lower()
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()


def context_of(name: str) -> str:
    """What a sealed secret belongs to: it opens for no other account."""
    return f"totp {name}"
