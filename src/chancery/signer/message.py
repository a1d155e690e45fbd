"""The base of everything the signer and its clients say: a tagged array, nothing unknown in it."""

from msgspec import Struct


class Message(Struct, frozen=True, array_like=True, tag=True, forbid_unknown_fields=True):
    """One message; its tag is the name of its class."""
