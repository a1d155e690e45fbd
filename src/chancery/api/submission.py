"""The body of a submission, decoded by msgspec because this is the hot way in."""

import base64
import binascii
from dataclasses import replace
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chancery.api.problems import Invalid
from chancery.domain.errors import BadCSR, BadRequest
from chancery.domain.request import Submission
from chancery.wire import general_names, wording

MAX_LINE: Final = 256 * 1024  # octets of one submission: a 64 KiB CSR in base64, and its fields

Short = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=1024)]
Csr = Annotated[
    str,
    Meta(
        max_length=100_000,
        description="PKCS#10 request: PEM text, or base64 of the DER.",
        examples=["-----BEGIN CERTIFICATE REQUEST-----\n..."],
    ),
]
Subject = Annotated[
    dict[Short, Text | Annotated[list[Text], Meta(max_length=16)]],
    Meta(
        max_length=32,
        description="Attribute (short name or OID) to value, or to several values.",
        examples=[{"CN": "www.example.org", "O": "Example"}],
    ),
]
Names = Annotated[
    list[Text],
    Meta(
        max_length=1000,
        description="Names for the subject alternative name extension, as kind:value;"
        " without a kind, a DNS name.",
        examples=[["dns:www.example.org", "ip:192.0.2.1"]],
    ),
]
Extensions = Annotated[
    dict[Short, Annotated[str, Meta(max_length=65_536)]],
    Meta(max_length=32, description="Further extensions: dotted OID to the hex of its DER."),
]
Days = Annotated[int, Meta(ge=1, le=36_500, description="Asks for a shorter validity.")]
Remark = Annotated[str, Meta(max_length=4096, description="A word to those who decide.")]


class SubmitBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A certificate request.  Exactly one of csr and server_key."""

    profile: Short
    ra: Short | None = None
    authority: Short | None = None
    csr: Csr | None = None
    server_key: Short | None = None
    subject: Subject = {}  # msgspec copies it
    names: Names = []
    extensions: Extensions = {}
    days: Days | None = None
    note: Remark = ""


class EditBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What to change of a pending request; what is left out stays."""

    profile: Short | UnsetType = UNSET
    ra: Short | UnsetType | None = UNSET
    authority: Short | UnsetType | None = UNSET
    csr: Csr | UnsetType = UNSET
    server_key: Short | UnsetType = UNSET
    subject: Subject | UnsetType = UNSET
    names: Names | UnsetType = UNSET
    extensions: Extensions | UnsetType = UNSET
    days: Days | UnsetType | None = UNSET
    note: Remark | UnsetType = UNSET


_SUBMIT: Final = msgspec.json.Decoder(SubmitBody)
_EDIT: Final = msgspec.json.Decoder(EditBody)


def decode(body: bytes) -> Submission:
    """Read one submission; raise Invalid for its form, BadRequest for its values."""
    try:
        given = _SUBMIT.decode(body)
    except msgspec.MsgspecError as error:
        raise invalid(error) from None
    except (UnicodeDecodeError, RecursionError):
        raise Invalid("the body is not JSON in UTF-8", "body", "json") from None
    return Submission(
        profile=given.profile,
        ra=given.ra,
        authority=given.authority,
        csr=csr_octets(given.csr) if given.csr is not None else None,
        server_key=given.server_key,
        subject=_subject(given.subject),
        names=tuple(map(general_names.parse, given.names)) if given.names else (),
        extensions=_extensions(given.extensions),
        days=given.days,
        note=given.note,
    )


def decode_edit(body: bytes, before: Submission) -> Submission:
    """Apply an edit to *before*; a new CSR replaces a server-made key, and the reverse."""
    try:
        given = _EDIT.decode(body)
    except msgspec.MsgspecError as error:
        raise invalid(error) from None
    except (UnicodeDecodeError, RecursionError):
        raise Invalid("the body is not JSON in UTF-8", "body", "json") from None
    if given == EditBody():
        raise BadRequest("nothing to change was given", field="body", rule="edit.empty")
    changes: dict[str, object] = {
        name: value
        for name in ("profile", "ra", "authority", "days", "note")
        if (value := getattr(given, name)) is not UNSET
    }
    if given.csr is not UNSET:
        changes |= {"csr": csr_octets(given.csr), "server_key": None}
    if given.server_key is not UNSET:
        changes |= {"server_key": given.server_key}
        changes |= {"csr": None} if given.csr is UNSET else {}
    if given.subject is not UNSET:
        changes["subject"] = _subject(given.subject)
    if given.names is not UNSET:
        changes["names"] = tuple(map(general_names.parse, given.names))
    if given.extensions is not UNSET:
        changes["extensions"] = _extensions(given.extensions)
    return replace(before, **changes)  # type: ignore[arg-type]


def csr_octets(text: str) -> bytes:
    """Return the octets of a CSR given as PEM text or as base64 of its DER."""
    return _octets(text, "csr", BadCSR)


def octets(text: str, field: str) -> bytes:
    """Return what *field* gives as PEM text or as base64."""
    return _octets(text, field, BadRequest)


def _octets(text: str, field: str, kind: type[BadRequest]) -> bytes:
    if "-----BEGIN" in text:  # openssl writes the request in words before it
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise kind(
            "neither PEM nor base64",
            field=field,
            rule=f"{field}.encoding",
            remedy="send the PEM file's text, or base64 of the DER",
        ) from None


def invalid(error: msgspec.MsgspecError) -> Invalid:
    """Name the field and the rule of a msgspec error (``... - at `$.names[3]` ``)."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return Invalid(f"the body is not JSON: {text}", "body", "json")
    detail, _, path = text.partition(" - at `")
    field = path.rstrip("`").removeprefix("$").removeprefix(".") or "body"
    rule = next((rule for start, rule in _RULES if detail.startswith(start)), "value")
    if rule in {"unknown", "required"} and "`" in detail:
        name = detail.split("`")[1]
        field = name if field == "body" else f"{field}.{name}"
    said = wording.in_words(detail)
    return Invalid(f"{field[:80]}: {said}", field, rule, _REMEDIES.get(field, _REMEDIES[rule]))


_RULES: Final = (
    ("Object contains unknown field", "unknown"),
    ("Object missing required field", "required"),
    ("Expected `str` of length", "length"),
    ("Expected `array` of length", "length"),
    ("Expected `object` of length", "length"),
    ("Expected `int` ", "range"),
    ("Number out of range", "range"),
    ("Expected", "type"),
)


_REMEDIES: Final = {
    "days": "leave it out for what the profile gives, or ask for a shorter validity",
    "profile": "`chancery profile list` shows those there are",
    "unknown": "remove it, or check its spelling: GET /api/openapi.json describes a submission",
    "required": "give it: GET /api/openapi.json describes a submission",
    "length": "GET /api/openapi.json tells how long each may be",
    "range": "GET /api/openapi.json tells the bounds",
    "type": "GET /api/openapi.json describes a submission",
    "value": "GET /api/openapi.json describes a submission",
}
"""What to do, by field or else by rule."""


def _subject(given: dict[str, str | list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, one)
        for name, value in given.items()
        for one in ([value] if isinstance(value, str) else value)
    )


def _extensions(given: dict[str, str]) -> tuple[tuple[str, bytes], ...]:
    try:
        return tuple((oid, bytes.fromhex(der)) for oid, der in given.items())
    except ValueError:
        raise BadRequest(
            "an extension's value is not hex",
            field="extensions",
            rule="extension.encoding",
            remedy="give the DER of the extension's value in hex",
        ) from None
