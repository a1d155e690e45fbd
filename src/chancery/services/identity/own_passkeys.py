"""One's own passkeys: registered, named, removed."""

from typing import Any, Final

from chancery.domain.errors import BadRequest, Conflict, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.domain.web_session import Factors, Passkey, Proof
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.identity.changes import Ledger, user_of
from chancery.services.identity.factor_checks import MAX_ANSWER, FactorCheck, left_of
from chancery.services.identity.fresh import FreshProof

_MAX_PASSKEYS: Final = 20


class OwnPasskeys:
    """Registering takes two steps in one browser session, with a question between them."""

    def __init__(self, ledger: Ledger, check: FactorCheck, fresh: FreshProof) -> None:
        self._ledger = ledger
        self._check = check
        self._tools = check.tools
        self._desk = check.desk
        self._fresh = fresh

    @property
    def origin(self) -> str | None:
        """Where passkeys work, ``https://localhost:8443`` say; None: nowhere."""
        return self._tools.passkeys.origin

    def options(self, principal: Principal, cookie: str) -> dict[str, Any]:
        """What the browser's ``navigator.credentials.create`` takes, for the session *cookie*."""
        self._fresh.demand(principal)

        def unit(session: Session) -> dict[str, Any]:
            web = self._desk.of(session, cookie)
            user = user_of(session, principal.name)
            known = session.factors.passkeys(user.name)
            if len(known) >= _MAX_PASSKEYS:
                raise Conflict(
                    f"you have {len(known)} passkeys",
                    rule="passkey.count",
                    remedy="remove those you do not use",
                )
            question = self._check.challenge(session, web)
            return self._tools.passkeys.creation_options(
                user.name, user.display_name, question, known
            )

        return self._ledger.store.write(unit)

    def add(self, principal: Principal, cookie: str, answer: str, label: str) -> Passkey:
        """Register the passkey that *answer*, the browser's JSON, speaks of."""
        self._fresh.demand(principal)
        if len(answer) > MAX_ANSWER:
            raise BadRequest("too long to be a passkey", field="passkey", rule="passkey.answer")
        label = _label(label)
        # In a unit of its own: the question is used up whatever becomes of the answer.
        question = self._ledger.store.write(
            lambda s: self._check.asked(s, self._desk.of(s, cookie))[0]
        )
        new = self._tools.passkeys.created(answer, question)
        passkey = Passkey(
            id=new.id,
            user=principal.name,
            label=label,
            public_key=new.public_key,
            sign_count=new.sign_count,
            transports=new.transports,
            synced=new.synced,
            created_at=self._desk.clock.s(),
        )
        return self._ledger.change(
            principal,
            "factor.enrolled",
            principal.name,
            lambda s: _added(s, passkey),
            kind=Proof.PASSKEY.value,
            label=label,
        )

    def rename(self, principal: Principal, passkey_id: str, label: str) -> None:
        demand(principal, Permission.AUTHENTICATED)
        label = _label(label)

        def work(session: Session) -> None:
            _own_passkey(session, principal.name, passkey_id)
            session.factors.rename_passkey(passkey_id, label)

        self._ledger.change(principal, "factor.renamed", principal.name, work, label=label)

    def remove(self, principal: Principal, passkey_id: str, password: str | None = None) -> Factors:
        self._fresh.demand(principal, password)
        name = principal.name

        def work(session: Session) -> Factors:
            _own_passkey(session, name, passkey_id)
            session.factors.drop_passkey(passkey_id)
            return left_of(session, name, self._desk.policy)

        return self._ledger.change(
            principal, "factor.removed", name, work, kind=Proof.PASSKEY.value
        )


def _added(session: Session, passkey: Passkey) -> Passkey:
    session.factors.add_passkey(passkey)
    return passkey


def _own_passkey(session: Session, name: str, passkey_id: str) -> None:
    if passkey_id not in {passkey.id for passkey in session.factors.passkeys(name)}:
        raise NotFound("no such passkey of yours", field="id", rule="passkey.known")


def _label(label: str) -> str:
    text = " ".join(label.split())[:60]
    if not text:
        raise BadRequest("a passkey needs a name", field="label", rule="passkey.label")
    return text
