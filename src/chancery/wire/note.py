"""Signed notes and the checkpoints they carry (C2SP signed-note, tlog-checkpoint).

A note is text, a blank line, and one line per signature.  Text means nothing
before ``open_note`` has returned it.  No I/O, no private keys.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.errors import BadRequest, TooLarge
from chancery.domain.merkle import HASH_SIZE

MAX_NOTE: Final = 128 * 1024  # octets; room for sixteen post-quantum cosignatures and more
MAX_SIGNATURES: Final = 64
MAX_SIZE: Final = 2**63  # of a tree: what a signed 64-bit integer counts
_ED25519: Final = 1  # signature type of C2SP signed-note
_NAME: Final = re.compile(r"[^\s+]+")
_VKEY: Final = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]+={0,2})")
_SIGNATURE: Final = re.compile(r"— (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]+={0,2})")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named Ed25519 public key (32 octets), as auditors keep it in ``audit.vkey``."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or _has_controls(self.name):
            raise _bad("vkey", f"not a key name: {self.name!r}")
        if len(self.public) != 32:
            raise _bad("vkey", "an Ed25519 public key is 32 octets")

    @classmethod
    def from_spki(cls, name: str, spki: bytes) -> "VerifierKey":
        """Name the key in a DER SubjectPublicKeyInfo."""
        try:
            key = load_der_public_key(spki)
        except ValueError as error:
            raise _bad("vkey", "not a SubjectPublicKeyInfo") from error
        if not isinstance(key, Ed25519PublicKey):
            raise _bad("vkey", "not an Ed25519 key")
        return cls(name, key.public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read ``<name>+<id in hex>+<base64>``; a line end after it is forgiven."""
        match = _VKEY.fullmatch(text.rstrip("\r\n")) if len(text) < 1024 else None
        if match is None:
            raise _bad("vkey", "not of the form name+id+key")
        encoded = _unbase64(match["key"], "vkey")
        if encoded[:1] != bytes([_ED25519]):
            raise _bad("vkey", "not an Ed25519 key")
        key = cls(match["name"], encoded[1:])
        if key.id.hex() != match["id"]:
            raise _bad("vkey", "its id is not that of its key")
        return key

    @property
    def id(self) -> bytes:
        """The four octets that say which key made a signature."""
        material = self.name.encode() + b"\n" + bytes([_ED25519]) + self.public
        return hashlib.sha256(material).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(bytes([_ED25519]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{key}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's statement of its tree: *size* leaves hash to *root* (32 octets).

    *extensions* are opaque lines; we write none, other logs may.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """What is signed."""
        root = base64.b64encode(self.root).decode()
        return "\n".join([self.origin, str(self.size), root, *self.extensions, ""])


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note as a checkpoint."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise _bad("checkpoint", "three or more lines, none of them empty, are a checkpoint")
    origin, size, root, *extensions = lines
    if not _DECIMAL.fullmatch(size) or int(size) >= MAX_SIZE:
        raise _bad("checkpoint", f"not a tree size: {size[:30]!r}")
    digest = _unbase64(root, "checkpoint")
    if len(digest) != HASH_SIZE:
        raise _bad("checkpoint", "a root hash is 32 octets")
    return Checkpoint(origin, int(size), digest, tuple(extensions))


def sign_note(text: str, key: VerifierKey, signature: bytes) -> bytes:
    """Join *text* with the Ed25519 *signature* that *key* made over it in UTF-8."""
    if not text.endswith("\n") or _has_controls(text):
        raise _bad("note", "a note's text is lines without control characters")
    signed = base64.b64encode(key.id + signature).decode()
    return f"{text}\n— {key.name} {signed}\n".encode()


def open_note(note: bytes, key: VerifierKey) -> str:
    """Return the text of *note* if *key* signed it.

    Signatures by other keys are ignored, as the specification asks: that is
    how witnesses can add theirs.
    """
    text, signatures = _split(note)
    verified = False
    for name, signature in signatures:
        if name != key.name or signature[:4] != key.id:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature[4:], text.encode())
        except (InvalidSignature, ValueError) as error:
            raise _bad("note", f"the signature of {key.name} does not verify") from error
        verified = True
    if not verified:
        raise _bad("note", f"{key.name}+{key.id.hex()} did not sign it")
    return text


def _split(note: bytes) -> tuple[str, Sequence[tuple[str, bytes]]]:
    """Text and (key name, key id and signature) pairs; nothing is verified yet."""
    if len(note) > MAX_NOTE:
        raise TooLarge(
            f"a signed note is at most {MAX_NOTE} octets", field="note", rule="note.size"
        )
    try:
        decoded = note.decode()
    except UnicodeDecodeError as error:
        raise _bad("note", "not UTF-8") from error
    if _has_controls(decoded):
        raise _bad("note", "it holds control characters")
    text, blank, tail = decoded.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise _bad("note", "text, a blank line and signature lines are a note")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _bad("note", f"more than {MAX_SIGNATURES} signatures")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    match = _SIGNATURE.fullmatch(line)
    signature = _unbase64(match["signature"], "note") if match else b""
    if match is None or len(signature) < 5:
        raise _bad("note", "malformed signature line")
    return match["name"], signature


def _unbase64(text: str, rule: str) -> bytes:
    """RFC 4648 §4, and only the one spelling of each value."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad(rule, "not base64") from error
    if base64.b64encode(data).decode() != text:
        raise _bad(rule, "not canonical base64")
    return data


def _has_controls(text: str) -> bool:
    return any(character < " " and character != "\n" for character in text)


def _bad(rule: str, why: str) -> BadRequest:
    return BadRequest(f"{rule}: {why}", field=rule, rule=f"note.{rule}")
