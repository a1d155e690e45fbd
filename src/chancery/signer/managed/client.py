"""``ports_keys.ManagedVault`` over the signer's socket."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from chancery.domain.key_orders import KeyAuthority, KeySeal, Part
from chancery.domain.key_states import KeyDates
from chancery.domain.managed_key import KeyFacts, KeyKind
from chancery.ports_keys import NewKey
from chancery.signer.managed import messages as m

A = TypeVar("A", bound=m.ManagedAnswer)


class Asking(Protocol):
    """What carries a request there and an answer back: ``SignerClient.ask``."""

    def __call__(self, request: m.ManagedRequest, expected: type[A]) -> A: ...


class ManagedClient:
    """Implements ``ports_keys.ManagedVault``.  Safe for concurrent use."""

    def __init__(self, ask: Asking) -> None:
        self._ask = ask

    def generate(self, new: NewKey, who: KeyAuthority) -> KeyFacts:
        return self._ask(m.ManagedGenerate(new, who), m.KeyAnswer).facts

    def unwrap(
        self, new: NewKey, who: KeyAuthority, by: str, method: str, wrapped: bytes
    ) -> KeyFacts:
        return self._ask(m.ManagedUnwrap(new, who, by, method, wrapped), m.KeyAnswer).facts

    def insert(self, new: NewKey, who: KeyAuthority, packed: bytes, passphrase: str) -> KeyFacts:
        return self._ask(m.ManagedInsert(new, who, packed, passphrase), m.KeyAnswer).facts

    def derive(
        self, new: NewKey, who: KeyAuthority, by: str, method: str, context: bytes, salt: bytes
    ) -> KeyFacts:
        request = m.ManagedDerive(new, who, by, method, context, salt)
        return self._ask(request, m.KeyAnswer).facts

    def move(self, handle: str, dates: KeyDates, who: KeyAuthority) -> None:
        self._ask(m.ManagedDates(handle, dates, who), m.TruthAnswer)

    def encrypt(self, handle: str, plain: bytes, aad: bytes, who: KeyAuthority) -> KeySeal:
        return self._ask(m.ManagedEncrypt(handle, plain, aad, who), m.SealAnswer).seal

    def decrypt(self, handle: str, seal: KeySeal, aad: bytes, who: KeyAuthority) -> bytes:
        return self._ask(m.ManagedDecrypt(handle, seal, aad, who), m.DataAnswer).data

    def rewrap(
        self, old: str, seal: KeySeal, old_aad: bytes, new: str, new_aad: bytes, who: KeyAuthority
    ) -> KeySeal:
        request = m.ManagedRewrap(old, seal, old_aad, new, new_aad, who)
        return self._ask(request, m.SealAnswer).seal

    def sign(self, handle: str, algorithm: str, data: bytes, who: KeyAuthority) -> bytes:
        return self._ask(m.ManagedSign(handle, algorithm, data, who), m.DataAnswer).data

    def mac(self, handle: str, data: bytes, who: KeyAuthority) -> bytes:
        return self._ask(m.ManagedMac(handle, data, who), m.DataAnswer).data

    def check_mac(self, handle: str, data: bytes, mac: bytes, who: KeyAuthority) -> bool:
        return self._ask(m.ManagedCheckMac(handle, data, mac, who), m.TruthAnswer).true

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
        request = m.ManagedWrap(handle, method, by, public, header, who)
        return self._ask(request, m.DataAnswer).data

    def package(
        self, handle: str, who: KeyAuthority, form: str, passphrase: str, label: str
    ) -> bytes:
        request = m.ManagedPackage(handle, form, passphrase, label, who)
        return self._ask(request, m.DataAnswer).data

    def random(self, count: int, who: KeyAuthority) -> bytes:
        return self._ask(m.ManagedRandom(count, who), m.DataAnswer).data

    def split(self, entry: str, handle: str, holders: Sequence[str], who: KeyAuthority) -> KeyFacts:
        return self._ask(m.PartsSplit(entry, handle, tuple(holders), who), m.KeyAnswer).facts

    def put_part(
        self,
        entry: str,
        kind: KeyKind,
        place: tuple[int, int],
        component: bytes,
        check_value: str,
        who: KeyAuthority,
    ) -> Part:
        request = m.PartPut(entry, kind, place, component, check_value, who)
        return self._ask(request, m.PartAnswer).part

    def take_part(self, entry: str, number: int, who: KeyAuthority) -> Part:
        return self._ask(m.PartTake(entry, number, who), m.PartAnswer).part

    def join(self, new: NewKey, entry: str, check_value: str, who: KeyAuthority) -> KeyFacts:
        return self._ask(m.PartsJoin(new, entry, check_value, who), m.KeyAnswer).facts

    def drop_parts(self, entry: str, who: KeyAuthority) -> None:
        self._ask(m.PartsDrop(entry, who), m.TruthAnswer)

    def escrow(
        self, handle: str, agents: Sequence[bytes], threshold: int, who: KeyAuthority
    ) -> tuple[bytes, tuple[bytes, ...]]:
        request = m.EscrowMake(handle, tuple(agents), threshold, who)
        answer = self._ask(request, m.SharesAnswer)
        return answer.sealed, answer.shares

    def recover(
        self, new: NewKey, sealed: bytes, shares: Sequence[str], who: KeyAuthority
    ) -> KeyFacts:
        request = m.EscrowOpen(new, sealed, tuple(shares), who)
        return self._ask(request, m.KeyAnswer).facts
