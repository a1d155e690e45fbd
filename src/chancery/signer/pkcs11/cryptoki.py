"""A PKCS#11 module by its C interface.

Called through ctypes, which gives up the interpreter's lock for each call: a
token takes milliseconds, and meanwhile the software keys sign.  PyKCS11 holds
the lock (docs/adr/0012-pkcs11-by-ctypes.md).
"""

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import byref, c_ubyte, c_ulong, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chancery.signer.pkcs11 import constants as c

_FUNCTIONS: Final = (  # noqa: SIM905 - a list of 66 lines
    "Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo"
    " GetMechanismList GetMechanismInfo InitToken InitPIN SetPIN OpenSession CloseSession"
    " CloseAllSessions GetSessionInfo GetOperationState SetOperationState Login Logout"
    " CreateObject CopyObject DestroyObject GetObjectSize GetAttributeValue SetAttributeValue"
    " FindObjectsInit FindObjects FindObjectsFinal EncryptInit Encrypt EncryptUpdate EncryptFinal"
    " DecryptInit Decrypt DecryptUpdate DecryptFinal DigestInit Digest DigestUpdate DigestKey"
    " DigestFinal SignInit Sign SignUpdate SignFinal SignRecoverInit SignRecover VerifyInit Verify"
    " VerifyUpdate VerifyFinal VerifyRecoverInit VerifyRecover DigestEncryptUpdate"
    " DecryptDigestUpdate SignEncryptUpdate DecryptVerifyUpdate GenerateKey GenerateKeyPair WrapKey"
    " UnwrapKey DeriveKey SeedRandom GenerateRandom"
).split()
"""CK_FUNCTION_LIST (pkcs11f.h), in its order."""
_FUNCTION = ctypes.CFUNCTYPE(c_ulong)
MAX_OBJECTS: Final = 10_000
"""Handles that one search gives back."""


class _FunctionList(ctypes.Structure):
    _fields_ = (("version", c_ubyte * 2), *((name, c_void_p) for name in _FUNCTIONS))


class _InitializeArgs(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("create", "destroy", "lock", "unlock")),
        ("flags", c_ulong),
        ("reserved", c_void_p),
    )


class _TokenInfo(ctypes.Structure):
    _fields_ = (
        ("label", c_ubyte * 32),
        ("manufacturer", c_ubyte * 32),
        ("model", c_ubyte * 16),
        ("serial", c_ubyte * 16),
        ("flags", c_ulong),
        ("counts", c_ulong * 10),
        ("hardware", c_ubyte * 2),
        ("firmware", c_ubyte * 2),
        ("time", c_ubyte * 16),
    )


class Attribute(ctypes.Structure):
    """CK_ATTRIBUTE."""

    _fields_ = (("type", c_ulong), ("value", c_void_p), ("length", c_ulong))


class Mechanism(ctypes.Structure):
    """CK_MECHANISM; *keep* holds the parameter's memory alive."""

    _fields_ = (("mechanism", c_ulong), ("parameter", c_void_p), ("length", c_ulong))

    @classmethod
    def of(cls, number: int, parameter: object = None) -> "Mechanism":
        """*parameter*: a ctypes structure or buffer, or None."""
        if parameter is None:
            return cls(number, None, 0)
        made = cls(number, ctypes.addressof(parameter), ctypes.sizeof(parameter))  # type: ignore[arg-type]
        made.keep = parameter
        return made

    keep: object = None


class TokenError(Exception):
    """A function did not return CKR_OK."""

    def __init__(self, function: str, code: int) -> None:
        self.code: Final = code
        self.name: Final = c.RETURNED.get(code, f"0x{code:x}")
        super().__init__(f"C_{function}: {self.name}")

    @property
    def lost(self) -> bool:
        """Whether the connection is of no use any more."""
        return self.code in c.LOST


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What a token says of itself."""

    slot: int
    label: str
    manufacturer: str
    model: str
    serial: str
    firmware: str
    flags: int


Value = bool | int | bytes | str
Template = Mapping[int, Value]


class Module:
    """The functions of one shared library.  What they return is checked, nothing else."""

    def __init__(self, path: Path) -> None:
        """Load the library.  Raises OSError."""
        library = ctypes.CDLL(str(path))
        table = ctypes.POINTER(_FunctionList)()
        library.C_GetFunctionList.restype = c_ulong
        if library.C_GetFunctionList(byref(table)) != c.CKR_OK or not table:
            raise OSError(f"{path} is not a PKCS#11 module")
        self._library = library
        self._functions = {
            name: _FUNCTION(getattr(table.contents, name))
            for name in _FUNCTIONS
            if getattr(table.contents, name)
        }
        self.sign_init = self._functions["SignInit"]
        self.sign_once = self._functions["Sign"]

    def call(self, function: str, *arguments: object) -> None:
        """Raises TokenError."""
        known = self._functions.get(function)
        code = 0x54 if known is None else known(*arguments)
        if code != c.CKR_OK:
            raise TokenError(function, code)

    def initialize(self) -> None:
        """Once a process; threads call at once, with the system's own locks."""
        how = _InitializeArgs(flags=c.CKF_OS_LOCKING_OK)
        try:
            self.call("Initialize", byref(how))
        except TokenError as error:
            if error.code != c.CKR_CRYPTOKI_ALREADY_INITIALIZED:
                raise

    def finalize(self) -> None:
        self.call("Finalize", None)

    def slots(self) -> list[int]:
        """Slots with a token in them."""
        count = c_ulong()
        self.call("GetSlotList", c_ubyte(1), None, byref(count))
        found = (c_ulong * max(count.value, 1))()
        self.call("GetSlotList", c_ubyte(1), found, byref(count))
        return list(found[: count.value])

    def token(self, slot: int) -> TokenInfo:
        info = _TokenInfo()
        self.call("GetTokenInfo", c_ulong(slot), byref(info))
        return TokenInfo(
            slot,
            _text(info.label),
            _text(info.manufacturer),
            _text(info.model),
            _text(info.serial),
            f"{info.firmware[0]}.{info.firmware[1]}",
            info.flags,
        )

    def mechanisms(self, slot: int) -> frozenset[int]:
        count = c_ulong()
        self.call("GetMechanismList", c_ulong(slot), None, byref(count))
        found = (c_ulong * max(count.value, 1))()
        self.call("GetMechanismList", c_ulong(slot), found, byref(count))
        return frozenset(found[: count.value])

    def open_session(self, slot: int) -> int:
        handle = c_ulong()
        flags = c_ulong(c.CKF_SERIAL | c.CKF_RW)
        self.call("OpenSession", c_ulong(slot), flags, None, None, byref(handle))
        return handle.value

    def login(self, session: int, pin: bytearray) -> None:
        buffer = (c_ubyte * len(pin)).from_buffer(pin)
        self.call("Login", c_ulong(session), c_ulong(c.CKU_USER), buffer, c_ulong(len(pin)))


def attributes(template: Template) -> tuple[ctypes.Array[Attribute], list[object]]:
    """The C form of *template*, and the memory that must outlive the call."""
    memory: list[object] = []
    made = (Attribute * len(template))()
    for position, (kind, value) in enumerate(template.items()):
        raw = raw_value(value)
        buffer = ctypes.create_string_buffer(raw, max(len(raw), 1))
        memory.append(buffer)
        made[position] = Attribute(kind, ctypes.addressof(buffer), len(raw))
    return made, memory


def raw_value(value: Value) -> bytes:
    """An attribute's octets: CK_BBOOL, CK_ULONG, or as they are."""
    match value:
        case bool():
            return bytes([value])
        case int():
            return bytes(c_ulong(value))
        case str():
            return value.encode()
    return value


def pointers(*buffers: bytes) -> Sequence[object]:
    """Each buffer as two arguments: its octets and its length."""
    found: list[object] = []
    for buffer in buffers:
        found += [buffer, c_ulong(len(buffer))]
    return found


def _text(field: ctypes.Array[c_ubyte]) -> str:
    """Padded with blanks by the standard, with zeros by some."""
    return bytes(field).rstrip(b" \0").decode("utf-8", "replace")
