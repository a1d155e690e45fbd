"""Bundles between a server and an offline CA: what is asked for, and what came of it.

A request is JSON whose hash is a leaf of the server's audit log; with it comes
the proof that a signed checkpoint covers the leaf, so that ``audit.vkey`` alone
says who asks.  An answer is JSON as a signed note of the offline store.  Text
in, values out; no I/O.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from chancery.domain import merkle
from chancery.domain.audit import leaf_hash
from chancery.domain.errors import BadRequest, TooLarge
from chancery.wire.note import VerifierKey, open_note, parse_checkpoint, sign_note

REQUEST: Final = "chancery-signing-request-1"
ANSWER: Final = "chancery-signing-answer-1"
EXPORTED: Final = "bundle.exported"
"""The audit action whose ``sha256`` vouches for a request."""
MAX_BUNDLE: Final = 120 * 1024  # octets: a signed note holds 128 KiB
MAX_ITEMS: Final = 64


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing to sign.  *kind* is certificate or crl; octets are base64 of DER."""

    id: str
    kind: str
    authority: str
    subject: str
    csr: str = ""
    path_length: int | None = None
    issuer: str = ""  # SHA-256 of the certificate of the CA whose CRL is wanted
    above: int = 0  # its CRL's number must be higher
    revoke: tuple[tuple[str, str], ...] = ()  # (serial in hex, reason)


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a server asks an offline CA for.  Times are Unix seconds."""

    format: str
    id: str
    origin: str
    created_at: int
    created_by: str
    items: tuple[Wish, ...]


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was made of one wish: a certificate with its chain above, or a CRL; base64 of DER."""

    id: str
    kind: str
    data: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an offline CA made of a request, by its hash."""

    format: str
    request: str
    request_sha256: str
    ceremony: str
    items: tuple[Signed, ...]


def write(value: Request | Answer) -> str:
    """The text: JSON, a line for each value, nothing that a note may not hold."""
    text = json.dumps(msgspec.to_builtins(value), indent=1, sort_keys=True) + "\n"
    if len(text) > MAX_BUNDLE:
        raise TooLarge(
            f"the bundle has {len(text)} octets",
            field="bundle",
            rule="bundle.size",
            remedy="ask for less at a time",
        )
    return text


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def seal_request(text: str, proof: Mapping[str, object]) -> bytes:
    """The file that goes out: the request, and the proof that the audit log holds its hash."""
    return json.dumps({"request": text, "proof": proof}, indent=1).encode() + b"\n"


def open_request(data: bytes, key: VerifierKey | None) -> tuple[Request, str]:
    """The request and its text.  *key* is the server's ``audit.vkey``; None: nothing is proven.

    Raises BadRequest for one that the server of *key* did not export.
    """
    if len(data) > 2 * MAX_BUNDLE:
        raise _bad("it is longer than any bundle", "bundle.size")
    try:
        outer = json.loads(data)
        text, proof = outer["request"], outer["proof"]
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _bad("this is no signing bundle", "bundle.format") from error
    request = _read(text, Request, REQUEST)
    _check_items(request)
    if key is not None:
        _check_proof(request, text, proof, key)
    return request, text


def _check_items(request: Request) -> None:
    ids = [item.id for item in request.items]
    if not 0 < len(ids) <= MAX_ITEMS or len(set(ids)) < len(ids):
        raise _bad(f"a bundle asks for 1 to {MAX_ITEMS} things, each once", "bundle.items")
    for item in request.items:
        if item.kind not in ("certificate", "crl"):
            raise _bad(f"it asks for a {item.kind!r}", "bundle.kind")


def _check_proof(request: Request, text: str, proof: Any, key: VerifierKey) -> None:
    try:
        note, leaf = str(proof["checkpoint"]), str(proof["leaf"])
        checkpoint = parse_checkpoint(open_note(note.encode(), key))
        nodes = [bytes.fromhex(node) for node in proof["proof"]]
        merkle.verify_inclusion(
            leaf_hash(leaf.encode()), int(proof["seq"]), checkpoint.size, nodes, checkpoint.root
        )
        event = json.loads(leaf)
        told = (event["action"], event["subject"], event["details"]["sha256"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad("the proof that comes with it is malformed", "bundle.proof") from error
    except BadRequest as error:
        raise _bad(f"the server did not export this: {error}", "bundle.proof") from error
    if told != (EXPORTED, request.id, sha256(text)):
        raise _bad("the server exported another bundle, not this", "bundle.proof")


def sign_answer(text: str, key: VerifierKey, signature: bytes) -> bytes:
    return sign_note(text, key, signature)


def open_answer(data: bytes, key: VerifierKey | None = None) -> Answer:
    """The answer; with *key*, the offline store's, only if that signed it."""
    if key is not None:
        text = open_note(data, key)
    else:
        text = data.decode(errors="replace").rpartition("\n\n")[0] + "\n"
    answer: Answer = _read(text, Answer, ANSWER)
    return answer


def encode(der: bytes) -> str:
    return base64.b64encode(der).decode()


def decode(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("not base64", field=field, rule="bundle.base64") from error


def _read(text: str, kind: Any, form: str) -> Any:
    try:
        found = msgspec.json.decode(text.encode(), type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise _bad(f"this is no {form}: {error}", "bundle.format") from error
    if found.format != form:
        raise _bad(f"this is a {found.format[:40]!r}, not a {form}", "bundle.format")
    return found


def _bad(why: str, rule: str) -> BadRequest:
    return BadRequest(
        why, field="bundle", rule=rule, remedy="take the file as the other side wrote it"
    )
