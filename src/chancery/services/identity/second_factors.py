"""Second factors: what an account signs in with besides its password, enrolled and checked."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.errors import BadRequest, Conflict, NotFound, WrongState
from chancery.domain.identity import Permission, Principal
from chancery.domain.web_session import Factors, Proof, TotpSecret
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.identity.changes import Ledger, user_of
from chancery.services.identity.factor_checks import (
    FactorCheck,
    context_of,
    factors_of,
    hash_code,
    left_of,
)
from chancery.services.identity.fresh import FreshProof
from chancery.services.identity.session_records import expel

_ISSUER: Final = "Chancery"
_SECRET_OCTETS: Final = 20  # RFC 4226 §4, R6: 160 bits
_RECOVERY_CODES: Final = 10
_RECOVERY_OCTETS: Final = 10  # 80 bits: a plain hash of it cannot be guessed back


@dataclass(frozen=True, slots=True)
class TotpEnrolment:
    """What an authenticator app needs; shown once.  *picture* is an SVG element."""

    secret: str  # base32, to be typed where no camera is at hand
    uri: str
    picture: str


class SecondFactors:
    """One's own factors, and those of others for administrators.

    Changing one's own takes a fresh proof of who one is: a session within
    ``step_up_for``, a password sent along, or *password* beside a token.
    """

    def __init__(self, ledger: Ledger, check: FactorCheck, fresh: FreshProof) -> None:
        self._ledger = ledger
        self._check = check
        self._tools = check.tools
        self._desk = check.desk
        self._fresh = fresh

    def of(self, principal: Principal, name: str | None = None) -> Factors:
        """Return an account's factors: one's own always, any with IDENTITY_READ."""
        demand(principal, Permission.AUTHENTICATED)
        name = name or principal.name
        if name != principal.name:
            demand(principal, Permission.IDENTITY_READ)
        with self._ledger.store.read() as session:
            return factors_of(session, user_of(session, name).name)

    def start_totp(self, principal: Principal, password: str | None = None) -> TotpEnrolment:
        """Make a secret for an authenticator app; it counts once ``confirm_totp`` saw a code.

        One that is confirmed already stays good until then.
        """
        self._fresh.demand(principal, password)
        plain = self._desk.entropy(_SECRET_OCTETS)
        name = principal.name
        sealed = self._tools.sealer.seal(plain, context_of(name))
        pending = TotpSecret(name, sealed, confirmed=False, created_at=self._desk.clock.s())
        self._ledger.store.write(lambda s: s.factors.put_totp(pending))
        uri = self._tools.codes.uri(plain, name, _ISSUER)
        return TotpEnrolment(self._tools.codes.text(plain), uri, self._tools.codes.picture(uri))

    def confirm_totp(self, principal: Principal, code: str) -> Factors:
        """Take the secret into use by a first code of it; the former one counts no longer."""
        demand(principal, Permission.AUTHENTICATED)
        name = principal.name

        def work(session: Session) -> Factors:
            pending = session.factors.totp(name, confirmed=False)
            if pending is None:
                raise WrongState("no authenticator app is being set up", rule="totp.pending")
            step = self._check.step(pending, code)
            if step is None:
                raise BadRequest(
                    "the code is not the one that belongs to this secret now",
                    field="code",
                    rule="totp.code",
                    remedy="scan the picture again, and see that the clock of your device is right",
                )
            session.factors.drop_totp(name, confirmed=False)
            now = self._desk.clock.s()
            session.factors.put_totp(
                replace(pending, confirmed=True, created_at=now, last_step=step)
            )
            return factors_of(session, name)

        return self._ledger.change(principal, "factor.enrolled", name, work, kind=Proof.TOTP.value)

    def remove_totp(self, principal: Principal, password: str | None = None) -> Factors:
        """Take the authenticator app out of use."""
        self._fresh.demand(principal, password)
        name = principal.name

        def work(session: Session) -> Factors:
            if session.factors.totp(name) is None:
                raise NotFound("no authenticator app is enrolled", rule="totp.enrolled")
            session.factors.drop_totp(name, confirmed=True)
            return left_of(session, name, self._desk.policy)

        return self._ledger.change(principal, "factor.removed", name, work, kind=Proof.TOTP.value)

    def new_recovery_codes(
        self, principal: Principal, password: str | None = None
    ) -> Sequence[str]:
        """Make ten codes, each good once in place of a second factor; former ones are void."""
        self._fresh.demand(principal, password)
        codes = [self._recovery_code() for _ in range(_RECOVERY_CODES)]

        def work(session: Session) -> None:
            if not factors_of(session, principal.name).any:
                raise WrongState(
                    "recovery codes stand in for a second factor, and you have none",
                    rule="recovery.factor",
                    remedy="enrol an authenticator app or a passkey first",
                )
            session.factors.set_recovery_codes(principal.name, [hash_code(c) for c in codes])

        self._ledger.change(
            principal, "factor.enrolled", principal.name, work, kind=Proof.RECOVERY.value
        )
        return codes

    def reset(self, principal: Principal, name: str) -> None:
        """Forget another's factors, who lost them all; their sessions end."""
        demand(principal, Permission.IDENTITY_MANAGE)
        if name == principal.name:
            raise Conflict(
                "an administrator resets another's factors, never their own",
                field="name",
                rule="factor.reset-own",
                remedy="remove and enrol yours one by one, or ask another administrator",
            )

        def work(session: Session) -> None:
            user_of(session, name)
            session.factors.drop_totp(name, confirmed=True)
            session.factors.drop_totp(name, confirmed=False)
            for passkey in session.factors.passkeys(name):
                session.factors.drop_passkey(passkey.id)
            session.factors.set_recovery_codes(name, [])
            expel(session, name, principal, self._desk.clock.ms())

        self._ledger.change(principal, "factors.reset", name, work)

    def _recovery_code(self) -> str:
        text = base64.b32encode(self._desk.entropy(_RECOVERY_OCTETS)).decode().lower()
        return "-".join(text[i : i + 4] for i in range(0, len(text), 4))
