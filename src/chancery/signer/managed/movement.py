"""How managed keys come into being, come in and go out, inside the signer."""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chancery.domain.errors import BadRequest, NotPermitted
from chancery.domain.key_orders import KeyAuthority
from chancery.domain.key_states import KeyDates
from chancery.domain.managed_key import Family, KeyFacts, KeyKind, KeyUse
from chancery.ports_keys import NewKey
from chancery.signer import files
from chancery.signer.managed import judge, material, packages
from chancery.signer.managed.boundary import Boundary
from chancery.signer.managed.operations import hkdf
from chancery.signer.managed.rulebook import Held
from chancery.signer.managed.secrets import SecretVault
from chancery.wire import key_block, key_wrap

DERIVATIONS: Final = ("hkdf-sha256", "kbkdf-cmac", "kbkdf-hmac", "ecdh-hkdf-sha256")
_MAX_WRAPPED: Final = 64 * 1024


class Movement:
    """Generate, import, derive, and export under wrap."""

    def __init__(self, boundary: Boundary) -> None:
        self._b = boundary

    def generate(self, new: NewKey, who: KeyAuthority) -> KeyFacts:
        return self._admit(
            new, who, "generated", lambda v: v.generate(new.handle, new.kind, new.rules)
        )

    def take_in(self, new: NewKey, who: KeyAuthority, origin: str, octets: bytearray) -> KeyFacts:
        """Add material that is here in clear; it is wiped where the vault keeps a copy."""
        material.check(new.kind, octets)
        return self._admit(
            new, who, origin, lambda v: v.insert(new.handle, new.kind, octets, new.rules)
        )

    def unwrap(
        self, new: NewKey, who: KeyAuthority, by: str, method: str, wrapped: bytes
    ) -> KeyFacts:
        def work(held: Held) -> KeyFacts:
            self._b.demand(held, KeyUse.UNWRAP, who)
            if len(wrapped) > _MAX_WRAPPED:
                raise BadRequest("this is too long for a key", field="wrapped", rule="wrap.size")
            if method in key_block.METHODS:
                block = wrapped.decode("ascii", "replace")
                kbpk = self._b.secret(held).reveal()
                octets = key_block.unwrap(bytes(kbpk), block, new.kind)
                files.wipe(kbpk)
                key_block.check_inward(
                    key_block.peek(block), new.rules.uses, new.rules.exportability
                )
                facts = self.take_in(new, who, "imported", octets)
            else:
                facts = self._admit(
                    new, who, "imported", lambda v: self._unwrapped(v, held, new, method, wrapped)
                )
            self._b.used(held, "unwrap", who, wrapped)
            return facts

        return self._b.judged(by, wrapped, work)

    def _unwrapped(
        self, vault: SecretVault, held: Held, new: NewKey, method: str, wrapped: bytes
    ) -> KeyFacts:
        """Inside a token where both keys are on one; else by way of this process."""
        if held.vault == new.vault:
            facts = vault.unwrap_into(held.handle, method, wrapped, new.handle, new.kind, new.rules)
            if facts is not None:
                return facts
        octets = self._b.secret(held).unwrap(method, wrapped)
        material.check(new.kind, octets)
        return vault.insert(new.handle, new.kind, octets, new.rules)

    def insert(self, new: NewKey, who: KeyAuthority, packed: bytes, passphrase: str) -> KeyFacts:
        return self.take_in(new, who, "imported", packages.unpack(packed, passphrase))

    def derive(
        self, new: NewKey, who: KeyAuthority, by: str, method: str, context: bytes, salt: bytes
    ) -> KeyFacts:
        """Make a key from another; *context* is HKDF's info, the label, or the peer's SPKI."""

        def work(held: Held) -> KeyFacts:
            self._b.demand(held, KeyUse.DERIVE, who)
            judge.derived(held, new.kind, new.rules)
            secret = self._b.secret(held)
            length = new.kind.octets
            if not length:
                raise BadRequest("only secret keys are derived", field="kind", rule="derive.kind")
            if method == "hkdf-sha256" and held.kind.secret:
                ikm = secret.reveal()
                octets = hkdf(bytes(ikm), salt, context, length)
                files.wipe(ikm)
            elif method == "ecdh-hkdf-sha256":
                shared = secret.agree(context)
                octets = hkdf(bytes(shared), salt, b"chancery " + new.kind.value.encode(), length)
                files.wipe(shared)
            elif method in {"kbkdf-cmac", "kbkdf-hmac"} and _prf(method, held.kind):
                octets = _counter(secret.mac, context, salt, length)
            else:
                raise BadRequest(
                    f"a key of kind {held.kind.value} does not derive by {method[:40]!r}",
                    field="method",
                    rule="derive.method",
                    remedy=f"one of: {', '.join(DERIVATIONS)}, as the key's kind has it",
                )
            if new.kind.family is Family.TDES:
                octets = material.odd_parity(octets)
            facts = self.take_in(new, who, "derived", octets)
            self._b.used(held, "derive", who, context)
            return facts

        return self._b.judged(by, context, work)

    def move(self, handle: str, dates: KeyDates, who: KeyAuthority) -> None:
        self._b.move(handle, dates, who)

    def wrap(
        self,
        handle: str,
        who: KeyAuthority,
        method: str,
        *,
        by: str = "",
        public: bytes = b"",
        header: str = "",
    ) -> bytes:
        """Under another managed key, or under somebody's public key: then one other must agree."""

        def work(held: Held) -> bytes:
            self._b.release(held, who, least=0 if by else 1)
            if not by:
                judge.stranger(held)
                return self._under_public(held, who, method, public)
            if by == handle:
                raise key_wrap.itself()
            if method in key_block.METHODS:
                key_block.check_outward(header[:2], header[2:], held.rules.uses)
            wrapping = self._b.book.get(by)
            self._b.demand(wrapping, KeyUse.WRAP, who)
            judge.strong_enough(wrapping, held)
            secret = self._b.secret(wrapping)
            octets = self._b.secret(held).reveal()
            try:
                if method in key_block.METHODS:
                    made = _block(secret.reveal(), wrapping, held, method, header, octets)
                else:
                    made = secret.wrap(method, bytes(octets))
            finally:
                files.wipe(octets)
            self._b.used(wrapping, "wrap", who, made)
            self._b.left(held, method, who, under=wrapping.handle)
            return made

        return self._b.judged(handle, b"", work)

    def _under_public(self, held: Held, who: KeyAuthority, method: str, public: bytes) -> bytes:
        key = key_wrap.rsa_public(public)
        octets = self._b.secret(held).reveal()
        made = key_wrap.wrap_public(method, key, bytes(octets), AESGCM.generate_key(256))
        files.wipe(octets)
        self._b.left(held, method, who, under=packages.thumbprint(public))
        return made

    def package(
        self, handle: str, who: KeyAuthority, form: str, passphrase: str, label: str
    ) -> bytes:
        """PKCS#8 or PKCS#12: where the rules say so, and somebody else has agreed."""

        def work(held: Held) -> bytes:
            self._b.release(held, who, least=1)
            if not held.rules.pkcs or held.kind.secret:
                raise NotPermitted(
                    "this key does not leave as PKCS#8 or PKCS#12",
                    field="form",
                    rule="key.pkcs",
                    remedy="its template must allow it when the key is made",
                )
            octets = self._b.secret(held).reveal()
            made = packages.pack(form, held.kind, octets, passphrase, label)
            self._b.left(held, form, who)
            return made

        return self._b.judged(handle, b"", work)

    def _admit(
        self, new: NewKey, who: KeyAuthority, origin: str, put: Callable[[SecretVault], KeyFacts]
    ) -> KeyFacts:
        return self._b.admit(
            new.handle, new.vault, new.kind, new.rules, new.dates, who, origin, put
        )


def _prf(method: str, kind: KeyKind) -> bool:
    return kind.family is (Family.AES if method == "kbkdf-cmac" else Family.HMAC)


def _counter(prf: Callable[[bytes], bytes], label: bytes, context: bytes, length: int) -> bytearray:
    """KBKDF in counter mode (SP 800-108 r1 §4.1): counter and length of 32 bits."""
    out = bytearray()
    for counter in range(1, 256):
        if len(out) >= length:
            break
        fixed = counter.to_bytes(4) + label + b"\x00" + context + (length * 8).to_bytes(4)
        out += prf(fixed)
    del out[length:]
    return out


def _block(
    kbpk: bytearray, by: Held, held: Held, method: str, header: str, octets: bytearray
) -> bytes:
    """*header*: usage and mode; the exportability is the key's own."""
    fields = (header[:2], header[2:3], held.rules.exportability.value)
    try:
        made = key_block.wrap(method, bytes(kbpk), by.kind, fields, held.kind, bytes(octets))
    finally:
        files.wipe(kbpk)
    return made.encode("ascii")
