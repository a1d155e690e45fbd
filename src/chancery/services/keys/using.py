"""Using keys: encrypt and decrypt, sign and verify, MAC, random.  Each use is in the journal."""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm
from chancery.domain.errors import BadRequest, NotFound, NotPermitted
from chancery.domain.identity import Permission, Principal
from chancery.domain.key_orders import KeySeal
from chancery.domain.key_states import Effect
from chancery.domain.managed_key import KeyUse, KeyVersion, ManagedKey, Origin
from chancery.ports import Session
from chancery.services.access import demand
from chancery.services.audit import event
from chancery.services.keys.desk import Desk, authority
from chancery.services.keys.watching import watched
from chancery.services.request_access import bounded
from chancery.wire import key_envelope
from chancery.wire.key_envelope import Envelope

_HASHES: Final = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


@dataclass(frozen=True, slots=True)
class Made:
    """A signature or MAC, and the version that made it."""

    data: bytes
    version: int
    algorithm: str


class Using:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @watched("key.use-refused")
    def encrypt(self, principal: Principal, name: str, plain: bytes, aad: bytes = b"") -> str:
        """The ciphertext names key and version: see ``wire.key_envelope``."""
        with self._desk.store.read() as session:
            key, version, who = self._desk.usable(session, principal, name, Effect.PROTECT)
        _may(key, KeyUse.ENCRYPT)
        head = key_envelope.header(key.id, version.number)
        seal = self._desk.vault.encrypt(version.handle, plain, head + aad, who)
        return key_envelope.encode(Envelope(key.id, version.number, seal.nonce, seal.sealed))

    @watched("key.use-refused")
    def decrypt(
        self, principal: Principal, name: str, ciphertext: str, aad: bytes = b"", despite: str = ""
    ) -> tuple[bytes, int]:
        """The plain text, and the version that opened it.

        *despite*: why what a suspended or compromised key protects is read all
        the same; that takes the right to manage it, and is audited.
        """
        bounded(despite, "despite")
        found = key_envelope.decode(ciphertext)
        with self._desk.store.read() as session:
            key, version, who = self._desk.usable(
                session, principal, name, Effect.PROCESS, self._number(session, name, found),
                despite=despite,
            )  # fmt: skip
        _may(key, KeyUse.DECRYPT)
        if despite:
            self._told(principal, key, version, despite)
        head = key_envelope.header(found.key_id, found.version)
        seal = KeySeal(found.nonce, found.sealed)
        return self._desk.vault.decrypt(version.handle, seal, head + aad, who), version.number

    @watched("key.use-refused")
    def rewrap(
        self, principal: Principal, name: str, ciphertext: str, aad: bytes = b"", to: str = ""
    ) -> str:
        """Encrypt anew under the current version, or under key *to*; the text stays inside."""
        found = key_envelope.decode(ciphertext)
        with self._desk.store.read() as session:
            key, old, who = self._desk.usable(
                session, principal, name, Effect.PROCESS, self._number(session, name, found)
            )
            target, new, _ = self._desk.usable(session, principal, to or name, Effect.PROTECT)
        _may(key, KeyUse.DECRYPT)
        _may(target, KeyUse.ENCRYPT)
        new_head = key_envelope.header(target.id, new.number)
        seal = self._desk.vault.rewrap(
            old.handle,
            KeySeal(found.nonce, found.sealed),
            key_envelope.header(found.key_id, found.version) + aad,
            new.handle,
            new_head + aad,
            who,
        )
        return key_envelope.encode(Envelope(target.id, new.number, seal.nonce, seal.sealed))

    @watched("key.use-refused")
    def sign(self, principal: Principal, name: str, data: bytes, algorithm: str = "") -> Made:
        with self._desk.store.read() as session:
            key, version, who = self._desk.usable(session, principal, name, Effect.PROTECT)
        _may(key, KeyUse.SIGN)
        chosen = _algorithm(key, algorithm)
        made = self._desk.vault.sign(version.handle, chosen, data, who)
        return Made(made, version.number, chosen)

    @watched("key.use-refused")
    def verify(
        self, principal: Principal, name: str, data: bytes, signature: bytes,
        algorithm: str = "", number: int | None = None,
    ) -> bool:  # fmt: skip
        """Whether *signature* over *data* is of this key; done here, with its public key."""
        with self._desk.store.read() as session:
            key, version, _ = self._desk.usable(session, principal, name, Effect.PROCESS, number)
        _may(key, KeyUse.VERIFY)
        return _verified(version.facts.spki, _algorithm(key, algorithm), signature, data)

    @watched("key.use-refused")
    def mac(self, principal: Principal, name: str, data: bytes) -> Made:
        with self._desk.store.read() as session:
            key, version, who = self._desk.usable(session, principal, name, Effect.PROTECT)
        _may(key, KeyUse.MAC)
        made = self._desk.vault.mac(version.handle, data, who)
        return Made(made, version.number, "hmac" if key.kind.value.startswith("hmac") else "cmac")

    @watched("key.use-refused")
    def check_mac(
        self, principal: Principal, name: str, data: bytes, mac: bytes, number: int | None = None
    ) -> bool:
        with self._desk.store.read() as session:
            key, version, who = self._desk.usable(session, principal, name, Effect.PROCESS, number)
        if KeyUse.VERIFY not in key.rules.uses:
            _may(key, KeyUse.MAC)
        return self._desk.vault.check_mac(version.handle, data, mac, who)

    def random(self, principal: Principal, count: int) -> bytes:
        demand(principal, Permission.KEY_USE)
        return self._desk.vault.random(count, authority(principal))

    def _number(self, session: Session, name: str, found: Envelope) -> int:
        """The version that the ciphertext names, if it is of this key.

        A key that came back from escrow has a name and id of its own; whether
        it is the one that the ciphertext names shows when it is opened.
        """
        key = session.keys.get(name)
        if key is not None and key.id != found.key_id:
            first = session.keys.version(key.id, 1)
            if first is not None and first.origin is Origin.RECOVERED:
                return first.number
            other = session.keys.by_id(found.key_id)
            raise BadRequest(
                "another key encrypted this",
                field="ciphertext",
                rule="ciphertext.key",
                remedy="name the key that did" if other is not None else "no key here did",
            )
        if key is not None and session.keys.version(key.id, found.version) is None:
            raise NotFound(
                f"{name} has no version {found.version}", field="ciphertext", rule="key.version"
            )
        return found.version

    def _told(
        self, principal: Principal, key: ManagedKey, version: KeyVersion, despite: str
    ) -> None:
        read = event(
            principal, "key.read-despite", key.name, version=version.number, reason=despite
        )
        now = self._desk.clock.ms()
        self._desk.store.write(lambda session: session.audit.append([read], now))


def _may(key: ManagedKey, use: KeyUse) -> None:
    if use not in key.rules.uses:
        raise NotPermitted(
            f"{key.name} may not {use.value}: it is to {', '.join(sorted(key.rules.uses))}",
            field="key",
            rule="key.use",
            remedy="use a key whose template allows it",
        )


def _algorithm(key: ManagedKey, wanted: str) -> str:
    possible = SIGNATURES_OF[KeyAlgorithm(key.kind.value)]
    if not wanted:
        return possible[0].value
    if wanted not in {one.value for one in possible}:
        raise BadRequest(
            f"a key of kind {key.kind.value} does not sign with {wanted[:40]!r}",
            field="algorithm",
            rule="sign.algorithm",
            remedy=f"one of: {', '.join(possible)}",
        )
    return wanted


def _verified(spki: bytes, algorithm: str, signature: bytes, data: bytes) -> bool:
    public = load_der_public_key(spki)
    digest = _HASHES.get(algorithm.rpartition("-")[2])
    try:
        if isinstance(public, rsa.RSAPublicKey) and digest is not None:
            scheme: padding.AsymmetricPadding = padding.PKCS1v15()
            if algorithm.startswith("rsa-pss-"):
                scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
            public.verify(signature, data, scheme, digest)
        elif isinstance(public, ec.EllipticCurvePublicKey) and digest is not None:
            public.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, data)
        else:
            return False
    except InvalidSignature:
        return False
    return True
