"""signer.holders.Holder on a PKCS#11 token."""

import json
import secrets
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import AlreadyExists, CAError, SignerRefused, Unavailable
from chancery.domain.keys import KeyInfo, KeyPurpose
from chancery.domain.vaults import Probe, TokenKey, VaultKind, VaultStanding
from chancery.signer import keypair
from chancery.signer.holders import Held
from chancery.signer.managed.secrets import SecretVault
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11 import importing, inventory
from chancery.signer.pkcs11.attributes import public_half, read_public, signing_only
from chancery.signer.pkcs11.cryptoki import Template, TokenError
from chancery.signer.pkcs11.mechanisms import how_to_make, how_to_sign
from chancery.signer.pkcs11.pins import PinSource, Refused, Sealer
from chancery.signer.pkcs11.secrets import TokenSecrets
from chancery.signer.pkcs11.signing import Counts, Signing, believed, strict
from chancery.signer.pkcs11.spreading import Spread
from chancery.signer.pkcs11.token import Token, TokenSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chancery.signer.pkcs11.session import Session

_KEPT: Final = "chancery-token-key-1"
_LEAVES = "keys for requesters leave as PKCS#12, and a token's keys never leave"


@dataclass(frozen=True, slots=True)
class Pkcs11Settings:
    """One of ``[[vaults]]``."""

    name: str
    module: Path
    token: str | None = None
    serial: str | None = None
    pin_file: Path | None = None
    sessions: int = 4
    verify: bool = True


def token_settings(text: str) -> Pkcs11Settings:
    """Read what ``app.signer_process`` writes: a JSON object of the fields."""
    fields = json.loads(text)
    pin_file = fields.pop("pin_file", None)
    return Pkcs11Settings(
        module=Path(fields.pop("module")),
        pin_file=None if pin_file is None else Path(pin_file),
        **fields,
    )


class TokenHolder:
    """Keys that never leave their token.  Every one is found by its label and its id."""

    kind: Final = VaultKind.PKCS11

    def __init__(
        self,
        settings: Pkcs11Settings,
        directory: Path,
        sealer: Sealer,
        *,
        log: Callable[..., None] = lambda *_, **__: None,
    ) -> None:
        """*directory* is the sealed vault's: a refused PIN is noted there, under *sealer*."""
        self.name: Final = settings.name
        self._settings = settings
        self.counts = Counts()
        self.token: Final = Token(
            TokenSettings(
                settings.name, settings.module, settings.token, settings.serial, settings.sessions
            ),
            PinSource(settings.pin_file),
            Refused(directory / f"{settings.name}.pin-refused", settings.name, sealer),
            log=log,
        )
        self._making = threading.Lock()
        # One signature after another would wait for the token's answer each time.
        self._spread = (
            Spread(settings.sessions, self.name, lambda: self.token.idle)
            if settings.sessions > 1
            else None
        )
        self.token.start()

    # signer.holders.Holder

    def make(self, key_id: str, algorithm: KeyAlgorithm, purpose: KeyPurpose) -> Held:
        if purpose is KeyPurpose.SUBJECT:
            raise _refused(_LEAVES, "vault.subject-key")
        object_id, found = self._made(key_id, algorithm, {})
        return self.held(key_id, object_id, *found)

    def make_pair(self, label: str, algorithm: KeyAlgorithm, flags: Template) -> None:
        """A pair for a managed key, with *flags* of its private half."""
        self._made(label, algorithm, flags)

    def take_in(self, key_id: str, pkcs8: bytes) -> Held:
        held = self._taken(key_id, pkcs8, {})
        try:
            self._prove(held)
        except BaseException:
            with suppress(CAError):
                self.forget(held)
            raise
        return held

    def take_pair(self, label: str, pkcs8: bytes, flags: Template) -> None:
        """The same for a managed key; with its public half, by which it is known again."""
        held = self._taken(label, pkcs8, flags)
        assert held.kept is not None
        object_id = bytes.fromhex(json.loads(held.kept)["id"])
        with self.session() as session:
            importing.publish(session, held.spki, public_half(label, object_id))

    def find(self, label: str, object_id: str) -> Held:
        with self.session() as session:
            sought = bytes.fromhex(object_id) or inventory.by_label(session, label)
            handle = inventory.exactly_one(session, label, sought, c.CKO_PRIVATE_KEY)
            inventory.demand_signing_only(session, handle)
            public = session.find(
                {c.CKA_CLASS: c.CKO_PUBLIC_KEY, c.CKA_LABEL: label, c.CKA_ID: sought}
            )
            found = read_public(session, public[0] if public else handle)
        if found is None:
            raise _refused("the token does not tell the public key of it", "vault.public-key")
        held = self.held(label, sought, *found)
        self._prove(held)
        return held

    def open(self, kept: bytearray, info: KeyInfo) -> Held:
        where = json.loads(kept)
        return self.held(where["label"], bytes.fromhex(where["id"]), info.algorithm, info.spki)

    def forget(self, held: Held) -> None:
        assert held.kept is not None
        where = json.loads(held.kept)
        wanted = {c.CKA_LABEL: where["label"], c.CKA_ID: bytes.fromhex(where["id"])}
        with self.session() as session:
            for handle in session.find(wanted):
                session.destroy(handle)

    def standing(self) -> VaultStanding:
        token = self.token
        return VaultStanding(
            name=self.name,
            kind=self.kind,
            state=token.state,
            since=token.since,
            reason=token.reason,
            token=token.facts,
            sessions=self._settings.sessions,
            busy=token.busy,
            signatures=self.counts.signatures,
            failures=self.counts.failures,
            lost=token.lost,
            verified=self._settings.verify,
        )

    def contents(self) -> list[TokenKey]:
        with self.session() as session:
            return inventory.keys(session)

    def probe(self) -> list[Probe]:
        return inventory.probe(self.session, self.token)

    def unlock(self, pin: bytearray) -> None:
        self.token.unlock(pin)

    @property
    def secrets(self) -> SecretVault:
        return TokenSecrets(self)

    def close(self) -> None:
        if self._spread is not None:
            self._spread.close()
        self.token.close()

    # For what stands on it.

    def _made(
        self, label: str, algorithm: KeyAlgorithm, flags: Template
    ) -> tuple[bytes, tuple[KeyAlgorithm, bytes]]:
        """(id, what the token tells of the public key)."""
        how = how_to_make(algorithm)
        if how is None:
            raise _refused(f"no token makes {algorithm} keys", "vault.mechanism")
        object_id = secrets.token_bytes(16)
        with self._making, self.session() as session:
            self._name_is_free(session, label)
            public, _ = session.generate_pair(
                how.mechanism,
                {**public_half(label, object_id), **how.public},
                {**signing_only(label, object_id), **flags},
            )
            found = read_public(session, public)
        if found is None:
            raise Unavailable("the token does not tell the new public key", rule="vault.public-key")
        return object_id, found

    def _taken(self, label: str, pkcs8: bytes, flags: Template) -> Held:
        private, algorithm = keypair.load(pkcs8)
        object_id = secrets.token_bytes(16)
        with self._making, self.session() as session:
            self._name_is_free(session, label)
            importing.bring(session, private, {**signing_only(label, object_id), **flags})
        return self.held(label, object_id, algorithm, keypair.spki(private))

    @contextmanager
    def session(self) -> "Iterator[Session]":
        """A session whose errors come out in our words."""
        try:
            with self.token.session() as session:
                yield session
        except TokenError as error:
            raise self._said(error) from error

    def _said(self, error: TokenError) -> Unavailable | SignerRefused:
        if error.lost:
            return self.token.away()
        return _refused(
            f"the token of vault {self.name} refused: {error}",
            "vault.token-refused",
            "see its manual for what this means, and whether its policy allows it",
        )

    def _name_is_free(self, session: "Session", label: str) -> None:
        if session.find({c.CKA_LABEL: label}):
            raise AlreadyExists(
                f"the token of vault {self.name} has an object named {label}",
                field="key_id",
                rule="vault.label",
                remedy="choose another name, or remove the object by the token's own tools",
            )

    def held(self, label: str, object_id: bytes, algorithm: KeyAlgorithm, spki: bytes) -> Held:
        kept = json.dumps({"format": _KEPT, "label": label, "id": object_id.hex()}).encode()
        public, always = load_der_public_key(spki), self._settings.verify
        ways: dict[SignatureAlgorithm, keypair.Way] = {}
        for name in SIGNATURES_OF[algorithm]:
            how = how_to_sign(name)
            if how is not None:
                verify = strict(self.name, keypair.verifier(public, name))
                sign = Signing(self, label, object_id, how, None if always else verify)
                ways[name] = keypair.Way(sign, verify if always else believed, spread=self._spread)
        return Held(algorithm, spki, ways, None, kept)

    def _prove(self, held: Held) -> None:
        """A key that we did not see made must fit its public half; else it is forgotten."""
        for way in held.ways.values():
            way(b"chancery: is this the key?")
            return


def _refused(message: str, rule: str, remedy: str | None = None) -> SignerRefused:
    return SignerRefused(message, field="vault", rule=rule, remedy=remedy)
