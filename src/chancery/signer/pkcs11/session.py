"""One session on a token, used by one thread at a time: what the others are made of."""

import ctypes
from collections.abc import Sequence
from ctypes import byref, c_ubyte, c_ulong
from typing import Final

from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11.cryptoki import (
    MAX_OBJECTS,
    Attribute,
    Mechanism,
    Module,
    Template,
    TokenError,
    attributes,
    pointers,
)

_ROOM: Final = 1024
"""Octets of the largest signature asked for: RSA of 8,192 bits."""


class Session:
    """A session's handle, and the handles of keys that were looked up in it."""

    def __init__(self, module: Module, handle: int) -> None:
        self.module = module
        self.handle: Final = handle
        self.keys: dict[tuple[str, bytes, int], int] = {}
        self.proven: set[int] = set()
        """Handles of which a signature made in this session was verified."""
        self._number = c_ulong(handle)
        self._buffer = ctypes.create_string_buffer(_ROOM)
        self._length = c_ulong()

    def sign(self, key: int, mechanism: Mechanism, data: bytes) -> bytes:
        code = self.module.sign_init(self._number, byref(mechanism), c_ulong(key))
        if code != c.CKR_OK:
            raise TokenError("SignInit", code)
        self._length.value = _ROOM
        code = self.module.sign_once(
            self._number, data, c_ulong(len(data)), self._buffer, byref(self._length)
        )
        if code != c.CKR_OK:
            raise TokenError("Sign", code)
        return self._buffer.raw[: self._length.value]

    def find(self, template: Template) -> list[int]:
        """Handles of the objects that have every attribute of *template*."""
        wanted, memory = attributes(template)
        self._call("FindObjectsInit", wanted, c_ulong(len(template)))
        del memory
        found = (c_ulong * 64)()
        count = c_ulong()
        handles: list[int] = []
        try:
            while len(handles) < MAX_OBJECTS:
                self._call("FindObjects", found, c_ulong(64), byref(count))
                if not count.value:
                    break
                handles += found[: count.value]
        finally:
            self._call("FindObjectsFinal")
        return handles

    def read(self, handle: int, kind: int) -> bytes | None:
        """An attribute's octets; None where there is none, or it is secret."""
        asked = (Attribute * 1)(Attribute(kind, None, 0))
        try:
            self._call("GetAttributeValue", c_ulong(handle), asked, c_ulong(1))
            buffer = ctypes.create_string_buffer(max(asked[0].length, 1))
            asked[0].value = ctypes.addressof(buffer)
            self._call("GetAttributeValue", c_ulong(handle), asked, c_ulong(1))
        except TokenError as error:
            if error.code in (0x11, 0x12):  # sensitive, unknown
                return None
            raise
        return buffer.raw[: asked[0].length]

    def write(self, handle: int, kind: int, *, value: bool) -> None:
        """Change an attribute that the token lets change."""
        wanted, memory = attributes({kind: value})
        self._call("SetAttributeValue", c_ulong(handle), wanted, c_ulong(1))
        del memory

    def number(self, handle: int, kind: int) -> int | None:
        """An attribute that is a CK_ULONG or a CK_BBOOL."""
        raw = self.read(handle, kind)
        return int.from_bytes(raw, "little") if raw else None

    def generate_pair(
        self, mechanism: Mechanism, public: Template, private: Template
    ) -> tuple[int, int]:
        """(public, private) handles."""
        (of_public, one), (of_private, two) = attributes(public), attributes(private)
        handles = c_ulong(), c_ulong()
        self._call(
            "GenerateKeyPair",
            byref(mechanism),
            of_public,
            c_ulong(len(public)),
            of_private,
            c_ulong(len(private)),
            byref(handles[0]),
            byref(handles[1]),
        )
        del one, two
        return handles[0].value, handles[1].value

    def generate(self, mechanism: Mechanism, template: Template) -> int:
        wanted, memory = attributes(template)
        handle = c_ulong()
        self._call("GenerateKey", byref(mechanism), wanted, c_ulong(len(template)), byref(handle))
        del memory
        return handle.value

    def create(self, template: Template) -> int:
        wanted, memory = attributes(template)
        handle = c_ulong()
        self._call("CreateObject", wanted, c_ulong(len(template)), byref(handle))
        del memory
        return handle.value

    def destroy(self, handle: int) -> None:
        self._call("DestroyObject", c_ulong(handle))

    def unwrap(self, mechanism: Mechanism, key: int, wrapped: bytes, template: Template) -> int:
        wanted, memory = attributes(template)
        handle = c_ulong()
        self._call(
            "UnwrapKey",
            byref(mechanism),
            c_ulong(key),
            *pointers(wrapped),
            wanted,
            c_ulong(len(template)),
            byref(handle),
        )
        del memory
        return handle.value

    def wrap(self, mechanism: Mechanism, by: int, key: int) -> bytes:
        handles = c_ulong(by), c_ulong(key)
        length = c_ulong()
        self._call("WrapKey", byref(mechanism), *handles, None, byref(length))
        buffer = ctypes.create_string_buffer(length.value)
        self._call("WrapKey", byref(mechanism), *handles, buffer, byref(length))
        return buffer.raw[: length.value]

    def derive(self, mechanism: Mechanism, key: int, template: Template) -> int:
        wanted, memory = attributes(template)
        handle = c_ulong()
        self._call(
            "DeriveKey",
            byref(mechanism),
            c_ulong(key),
            wanted,
            c_ulong(len(template)),
            byref(handle),
        )
        del memory
        return handle.value

    def encrypt(self, key: int, mechanism: Mechanism, data: bytes) -> bytes:
        return self._crypt("Encrypt", key, mechanism, data, len(data) + 512)

    def decrypt(self, key: int, mechanism: Mechanism, data: bytes) -> bytes:
        return self._crypt("Decrypt", key, mechanism, data, len(data) + 512)

    def random(self, length: int) -> bytes:
        buffer = ctypes.create_string_buffer(length)
        self._call("GenerateRandom", buffer, c_ulong(length))
        return buffer.raw

    def alive(self) -> None:
        """Raises TokenError where the session is not what it was: logged in, and for writing."""
        state = (c_ulong * 4)()  # CK_SESSION_INFO: slot, state, flags, error
        self._call("GetSessionInfo", state)
        if state[1] != 3:  # CKS_RW_USER_FUNCTIONS
            raise TokenError("GetSessionInfo", 0x101)

    def close(self) -> None:
        self._call("CloseSession")

    def _crypt(self, what: str, key: int, mechanism: Mechanism, data: bytes, room: int) -> bytes:
        self._call(f"{what}Init", byref(mechanism), c_ulong(key))
        buffer = ctypes.create_string_buffer(room)
        length = c_ulong(room)
        self._call(what, *pointers(data), buffer, byref(length))
        return buffer.raw[: length.value]

    def _call(self, function: str, *arguments: object) -> None:
        self.module.call(function, self._number, *arguments)


def octets(values: Sequence[int]) -> ctypes.Array[c_ubyte]:
    """A C array of octets."""
    return (c_ubyte * len(values))(*values)
