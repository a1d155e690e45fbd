"""What is asked of the key boundary about managed keys, and what it answers."""

from typing import Final

from chancery.domain.key_orders import KeyAuthority, KeySeal, Part
from chancery.domain.key_states import KeyDates
from chancery.domain.managed_key import KeyFacts, KeyKind
from chancery.ports_keys import NewKey
from chancery.signer.message import Message


class ManagedGenerate(Message, frozen=True):
    new: NewKey
    who: KeyAuthority


class ManagedUnwrap(Message, frozen=True):
    """Take a key in that is wrapped under *by*."""

    new: NewKey
    who: KeyAuthority
    by: str
    method: str
    wrapped: bytes


class ManagedInsert(Message, frozen=True):
    """Take a private key in that comes under a passphrase (PKCS#8 or PKCS#12)."""

    new: NewKey
    who: KeyAuthority
    packed: bytes
    passphrase: str

    def __repr__(self) -> str:
        return f"ManagedInsert(new={self.new!r})"  # the passphrase stays out of tracebacks


class ManagedDerive(Message, frozen=True):
    new: NewKey
    who: KeyAuthority
    by: str
    method: str
    context: bytes
    salt: bytes


class ManagedDates(Message, frozen=True):
    """Move a key along its life; the signer checks the step."""

    handle: str
    dates: KeyDates
    who: KeyAuthority


class ManagedEncrypt(Message, frozen=True):
    handle: str
    plain: bytes
    aad: bytes
    who: KeyAuthority

    def __repr__(self) -> str:
        return f"ManagedEncrypt(handle={self.handle!r})"


class ManagedDecrypt(Message, frozen=True):
    handle: str
    seal: KeySeal
    aad: bytes
    who: KeyAuthority


class ManagedRewrap(Message, frozen=True):
    """Decrypt with one key and encrypt with another; the plain text stays inside."""

    old: str
    seal: KeySeal
    old_aad: bytes
    new: str
    new_aad: bytes
    who: KeyAuthority


class ManagedSign(Message, frozen=True):
    handle: str
    algorithm: str
    data: bytes
    who: KeyAuthority


class ManagedMac(Message, frozen=True):
    handle: str
    data: bytes
    who: KeyAuthority


class ManagedCheckMac(Message, frozen=True):
    handle: str
    data: bytes
    mac: bytes
    who: KeyAuthority


class ManagedWrap(Message, frozen=True):
    """Hand a key out, under another managed key, or under *public* (SPKI) of somebody."""

    handle: str
    method: str
    by: str
    public: bytes
    header: str
    who: KeyAuthority


class ManagedPackage(Message, frozen=True):
    """Hand a private key out as PKCS#8 or PKCS#12."""

    handle: str
    form: str
    passphrase: str
    label: str
    who: KeyAuthority

    def __repr__(self) -> str:
        return f"ManagedPackage(handle={self.handle!r})"


class ManagedRandom(Message, frozen=True):
    count: int
    who: KeyAuthority


class PartsSplit(Message, frozen=True):
    """Split a key into components, one for each of *holders*."""

    entry: str
    handle: str
    holders: tuple[str, ...]
    who: KeyAuthority


class PartPut(Message, frozen=True):
    """Take one component in, from one person; *place*: its number, of how many."""

    entry: str
    kind: KeyKind
    place: tuple[int, int]
    component: bytes
    check_value: str
    who: KeyAuthority

    def __repr__(self) -> str:
        return f"PartPut(entry={self.entry!r}, place={self.place})"


class PartTake(Message, frozen=True):
    """Show a holder the own component, once."""

    entry: str
    number: int
    who: KeyAuthority


class PartsJoin(Message, frozen=True):
    """Make the key of the components that are in."""

    new: NewKey
    entry: str
    check_value: str
    who: KeyAuthority


class PartsDrop(Message, frozen=True):
    entry: str
    who: KeyAuthority


class EscrowMake(Message, frozen=True):
    """Seal a key for recovery agents: a share to each of *agents* (SPKI)."""

    handle: str
    agents: tuple[bytes, ...]
    threshold: int
    who: KeyAuthority


class EscrowOpen(Message, frozen=True):
    new: NewKey
    sealed: bytes
    shares: tuple[str, ...]
    who: KeyAuthority

    def __repr__(self) -> str:
        return f"EscrowOpen(new={self.new!r})"


class KeyAnswer(Message, frozen=True):
    facts: KeyFacts


class DataAnswer(Message, frozen=True):
    data: bytes


class TruthAnswer(Message, frozen=True):
    true: bool


class SealAnswer(Message, frozen=True):
    seal: KeySeal


class PartAnswer(Message, frozen=True):
    part: Part


class SharesAnswer(Message, frozen=True):
    sealed: bytes
    shares: tuple[bytes, ...]


ManagedRequest = (
    ManagedGenerate
    | ManagedUnwrap
    | ManagedInsert
    | ManagedDerive
    | ManagedDates
    | ManagedEncrypt
    | ManagedDecrypt
    | ManagedRewrap
    | ManagedSign
    | ManagedMac
    | ManagedCheckMac
    | ManagedWrap
    | ManagedPackage
    | ManagedRandom
    | PartsSplit
    | PartPut
    | PartTake
    | PartsJoin
    | PartsDrop
    | EscrowMake
    | EscrowOpen
)
ManagedAnswer = KeyAnswer | DataAnswer | TruthAnswer | SealAnswer | PartAnswer | SharesAnswer
SLOW: Final = (ManagedGenerate, ManagedInsert, ManagedUnwrap, ManagedPackage, EscrowMake)
