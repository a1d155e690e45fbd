"""signer.managed.secrets.SecretVault on a token: AES, 3DES and HMAC keys, and pairs of keys."""

import threading
from typing import TYPE_CHECKING, Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import AlreadyExists, BadKey, NotFound, SignerRefused
from chancery.domain.managed_key import Exportability, Family, KeyFacts, KeyKind, KeyRules, KeyUse
from chancery.signer.managed.secrets import Secret
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11 import importing, inventory, mechanisms, pairs
from chancery.signer.pkcs11.attributes import read_public
from chancery.signer.pkcs11.cryptoki import Mechanism, TokenError, Value
from chancery.signer.pkcs11.pairs import TokenPair
from chancery.signer.pkcs11.secret_keys import WRAPS, TokenSecret, cannot, opened
from chancery.signer.pkcs11.session import Session
from chancery.wire import key_wrap

if TYPE_CHECKING:
    from chancery.signer.pkcs11.vault import TokenHolder

_KEPT: Final = 1_000
"""Keys whose place and public half stay in memory."""
_DIRECT: Final = {
    Family.AES: frozenset({*WRAPS}),
    Family.RSA: frozenset({key_wrap.OAEP}),
}
"""Ways that a key of the token opens another one inside it."""


class TokenSecrets:
    """Implements ``SecretVault``."""

    kind: Final = "pkcs11"

    def __init__(self, holder: "TokenHolder") -> None:
        self._holder = holder
        self._lock = threading.Lock()
        self._found: dict[str, TokenSecret | TokenPair] = {}

    def generate(self, handle: str, kind: KeyKind, rules: KeyRules) -> KeyFacts:
        _demand_kept(rules)
        if not kind.secret:
            algorithm = KeyAlgorithm(kind.value)
            self._holder.make_pair(handle, algorithm, pairs.flags(rules.uses))
            return self.get(handle).facts
        how: dict[int, Value] = {c.CKA_VALUE_LEN: kind.octets}
        match kind.family:
            case Family.AES:
                number = c.CKM_AES_KEY_GEN
            case Family.HMAC:
                number = c.CKM_GENERIC_SECRET_KEY_GEN
            case _ if kind is KeyKind.TDES_168:
                number, how = c.CKM_DES3_KEY_GEN, {}
            case _:
                raise cannot(kind, "get made on a token")
        with self._holder.session() as session:
            _demand_free(session, handle)
            session.generate(Mechanism.of(number), _template(handle, kind, rules.uses) | how)
        return self.get(handle).facts

    def insert(self, handle: str, kind: KeyKind, material: bytearray, rules: KeyRules) -> KeyFacts:
        _demand_kept(rules)
        if not kind.secret:
            self._holder.take_pair(handle, bytes(material), pairs.flags(rules.uses))
            return self.get(handle).facts
        octets = bytes(material)
        if kind is KeyKind.TDES_112:
            octets += octets[:8]
        with self._holder.session() as session:
            _demand_free(session, handle)
            importing.carried(session, octets, _template(handle, kind, rules.uses))
        return self.get(handle).facts

    def unwrap_into(
        self, by: str, method: str, wrapped: bytes, handle: str, kind: KeyKind, rules: KeyRules
    ) -> KeyFacts | None:
        """Secret keys; what a private key's public half is, tokens do not tell of it."""
        _demand_kept(rules)
        opener = self._get(by)
        family = opener.facts.kind.family
        if not kind.secret or kind is KeyKind.TDES_112 or method not in _DIRECT.get(family, ()):
            return None
        way = mechanisms.oaep() if family is Family.RSA else Mechanism.of(WRAPS[method])
        template = _template(handle, kind, rules.uses)
        # SoftHSM does not tell how long what it unwrapped is; of AES-KW it shows.
        told = len(wrapped) - 8 if method == key_wrap.KW else 0
        with opener.used() as (session, key):
            _demand_free(session, handle)
            try:
                made = opened(lambda: session.unwrap(way, key, wrapped, template), "wrapped")
            except TokenError as error:
                if error.code in c.NOT_OFFERED:
                    return None
                raise
            length = session.number(made, c.CKA_VALUE_LEN) or told
            if length != kind.octets:
                session.destroy(made)
                if not length:
                    return None
                raise _other_length(kind, length)
        return self.get(handle).facts

    def get(self, handle: str) -> Secret:
        return self._get(handle)

    def _get(self, handle: str) -> TokenSecret | TokenPair:
        found = self._found.get(handle)
        if found is None:
            found = self._looked_up(handle)
            with self._lock:
                while len(self._found) >= _KEPT:
                    del self._found[next(iter(self._found))]
                self._found[handle] = found
        return found

    def destroy(self, handle: str) -> None:
        with self._lock:
            self._found.pop(handle, None)
        with self._holder.session() as session:
            for found in session.find({c.CKA_LABEL: handle}):
                session.destroy(found)

    def _looked_up(self, handle: str) -> TokenSecret | TokenPair:
        with self._holder.session() as session:
            found = session.find({c.CKA_CLASS: c.CKO_SECRET_KEY, c.CKA_LABEL: handle})
            kind = session.read(found[0], c.CKA_ID) if len(found) == 1 else None
            if kind is not None:
                return TokenSecret(self._holder, handle, KeyKind(kind.decode()))
            private = session.find({c.CKA_CLASS: c.CKO_PRIVATE_KEY, c.CKA_LABEL: handle})
            if not private:
                raise NotFound(f"no key {handle}", field="handle", rule="key.unknown")
            object_id = inventory.by_label(session, handle)
            public = session.find({c.CKA_CLASS: c.CKO_PUBLIC_KEY, c.CKA_LABEL: handle})
            told = read_public(session, public[0] if public else private[0])
        if told is None:
            raise _untold(handle)
        held = self._holder.held(handle, object_id, *told)
        return TokenPair(self._holder, handle, object_id, held)


def _other_length(kind: KeyKind, length: int) -> BadKey:
    return BadKey(
        f"a key of kind {kind.value} has {kind.octets} octets, not {length}",
        field="kind",
        rule="key.material",
    )


def _untold(handle: str) -> SignerRefused:
    return SignerRefused(
        f"the token does not tell the public key of {handle}",
        field="handle",
        rule="vault.public-key",
    )


def _demand_free(session: Session, handle: str) -> None:
    if session.find({c.CKA_LABEL: handle}):
        raise AlreadyExists(f"there is a key {handle} already", field="handle", rule="key.exists")


def _demand_kept(rules: KeyRules) -> None:
    if rules.exportability is not Exportability.NONE:
        raise SignerRefused(
            "a key on a token never leaves it",
            field="exportability",
            rule="vault.not-extractable",
            remedy="make it not exportable, or in the software vault",
        )


def _template(handle: str, kind: KeyKind, uses: frozenset[KeyUse]) -> dict[int, Value]:
    """What its uses allow; and what its check value is made by: a MAC, of 3DES a block."""
    types = {Family.AES: c.CKK_AES, Family.TDES: c.CKK_DES3, Family.HMAC: c.CKK_GENERIC_SECRET}
    return {
        c.CKA_CLASS: c.CKO_SECRET_KEY,
        c.CKA_KEY_TYPE: types[kind.family],
        c.CKA_TOKEN: True,
        c.CKA_PRIVATE: True,
        c.CKA_SENSITIVE: True,
        c.CKA_EXTRACTABLE: False,
        c.CKA_ENCRYPT: KeyUse.ENCRYPT in uses or kind.family is Family.TDES,
        c.CKA_DECRYPT: KeyUse.DECRYPT in uses,
        c.CKA_WRAP: KeyUse.WRAP in uses,
        c.CKA_UNWRAP: KeyUse.UNWRAP in uses,
        c.CKA_SIGN: True,
        c.CKA_VERIFY: True,
        c.CKA_LABEL: handle,
        c.CKA_ID: kind.value.encode(),
    }
