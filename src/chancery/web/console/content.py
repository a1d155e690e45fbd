"""What a certificate says, or would say, arranged for reading: beside what was asked, if it was."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chancery.domain.names import ATTRIBUTES, GeneralName
from chancery.domain.request import Submission
from chancery.services.portal.comparison import Fate, Line, plain
from chancery.web.console.extensions import SAN, Value, extension, octets, values

_ATTRIBUTES: Final = {
    "CN": "Common name",
    "SN": "Surname",
    "serialNumber": "Serial number",
    "C": "Country",
    "L": "Locality",
    "ST": "State or province",
    "street": "Street",
    "O": "Organisation",
    "OU": "Unit",
    "title": "Title",
    "businessCategory": "Business category",
    "postalCode": "Postal code",
    "GN": "Given name",
    "initials": "Initials",
    "dnQualifier": "DN qualifier",
    "pseudonym": "Pseudonym",
    "organizationIdentifier": "Organisation identifier",
    "UID": "User id",
    "DC": "Domain component",
    "emailAddress": "E-mail address",
}
KINDS: Final = {
    "dns": "DNS name",
    "email": "E-mail address",
    "ip": "IP address",
    "uri": "URI",
    "upn": "User principal name",
    "directory": "Directory name",
    "registered-id": "Registered id",
    "other": "Other name",
}
"""What people call the kinds of names."""
_USAGE: Final = ("2.5.29.15", "2.5.29.37", "2.5.29.19", "2.5.29.30", "2.5.29.32")
"""What the certificate is good for; other extensions are where to find things, and ids."""
_COMMON_NAME: Final = re.compile(r"CN=((?:[^\\,+]|\\[^0-9a-fA-F])+)(?:,|$)")
"""First in RFC 4514 text, and without hex escapes; a multi-valued RDN is read as a whole."""
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Row:
    """*asked* and *becomes*: None where nothing was asked, or nothing comes of it.

    *fate* is None where nobody asks for such a thing (an issuer).
    """

    label: str
    asked: tuple[Value, ...] | None
    becomes: tuple[Value, ...] | None
    fate: Fate | None = None
    origin: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    icon: str
    rows: tuple[Row, ...]


def called(subject: str, names: Sequence[GeneralName], otherwise: str) -> str:
    """How people call a certificate: its common name, a name of it, or the whole subject."""
    common = _COMMON_NAME.match(subject)
    if common is not None:
        return common[1]
    return names[0].value if names else subject or otherwise


def of_certificate(content: Mapping[str, Any]) -> list[Group]:
    """What ``wire.describe`` says of a certificate, or of one to be signed."""
    extensions = content["extensions"]
    names = next((one["value"] for one in extensions if one["oid"] == SAN), ())
    rest = [one for one in extensions if one["oid"] != SAN]
    return _filled(
        Group("Subject", "id", tuple(_said(content["subject"]))),
        Group(
            _names_title(extensions),
            "world",
            tuple(Row(_kind(name), None, (_name(name),)) for name in names),
        ),
        Group("Key", "key", (Row("Algorithm", None, (Value(content["key"]["algorithm"]),)),)),
        *_extension_groups([_alone(one) for one in rest], [one["oid"] for one in rest]),
        Group("Issuer and serial number", "building-bank", tuple(_issuer(content))),
    )


def of_request(
    content: Mapping[str, Any],
    asked: Mapping[str, Any] | None,
    lines: Iterable[Line],
    submission: Submission,
) -> list[Group]:
    """What would be signed beside what the CSR asks; where there is none, of what was typed."""
    if asked is None:
        return _beside(of_certificate(content), content, submission)
    given = dict(submission.subject)
    typed = {name.text for name in submission.names}
    subject, names = [], []
    for line in lines:
        if line.what.startswith("subject."):
            short = line.what.removeprefix("subject.")
            subject.append(_line(line, attribute(short), given=short in given))
        elif line.what == "name":
            text = line.becomes or line.asked or ""
            names.append(_line(line, _kind(text), _name, given=text in typed))
    wanted = {one["oid"]: one for one in asked["extensions"] if one["oid"] != SAN}
    becomes = {one["oid"]: one for one in content["extensions"] if one["oid"] != SAN}
    oids = list(dict.fromkeys((*becomes, *wanted)))
    extensions = [_both(wanted.get(oid), becomes.get(oid)) for oid in oids]
    key = (Value(asked["key"]["algorithm"]),), (Value(content["key"]["algorithm"]),)
    return _filled(
        Group("Subject", "id", tuple(subject)),
        Group(_names_title(content["extensions"]), "world", tuple(names)),
        Group("Key", "key", (Row("Algorithm", *key, Fate.KEPT),)),
        Group("Validity", "calendar", tuple(_validity(content, submission))),
        *_extension_groups(extensions, oids),
        Group("Issuer and serial number", "building-bank", tuple(_issuer(content))),
    )


def _names_title(extensions: Iterable[Mapping[str, Any]]) -> str:
    critical = any(one["oid"] == SAN and one["critical"] for one in extensions)
    return "Names (critical)" if critical else "Names"


def _beside(groups: list[Group], content: Mapping[str, Any], submission: Submission) -> list[Group]:
    groups.insert(-1, Group("Validity", "calendar", tuple(_validity(content, submission))))
    return groups


def _filled(*groups: Group) -> list[Group]:
    return [group for group in groups if group.rows]


def _extension_groups(rows: Sequence[Row], oids: Sequence[str]) -> Iterator[Group]:
    usage = tuple(row for row, oid in zip(rows, oids, strict=True) if oid in _USAGE)
    other = tuple(row for row, oid in zip(rows, oids, strict=True) if oid not in _USAGE)
    yield Group("What it is good for", "certificate", usage)
    yield Group("Identifiers and addresses", "link", other)


# Subject and names


def _said(attributes: Iterable[str]) -> Iterator[Row]:
    for text in attributes:
        name, _, value = text.partition("=")
        yield Row(attribute(name), None, (Value(value),))


def attribute(name: str) -> str:
    """What people call an attribute of a subject."""
    return _ATTRIBUTES.get(name, name if name in ATTRIBUTES else f"Attribute {name}")


def _kind(name: str) -> str:
    kind, _, _ = name.partition(":")
    return KINDS.get(kind, kind)


def _name(text: str) -> Value:
    return Value(text.partition(":")[2], code=True)


def _line(
    line: Line, label: str, shape: Callable[[str], Value] = Value, *, given: bool = False
) -> Row:
    origin = ""
    if line.fate in (Fate.ADDED, Fate.CHANGED):
        origin = "typed beside the CSR" if given else "set by the profile"
    if line.fate is Fate.DROPPED:
        origin = "the profile does not take it"
    asked = None if line.asked is None else (shape(line.asked),)
    becomes = None if line.becomes is None else (shape(line.becomes),)
    return Row(label, asked, becomes, line.fate, origin)


# Validity, issuer


def _validity(content: Mapping[str, Any], submission: Submission) -> Iterator[Row]:
    rule = content["validity"]
    asked = None if submission.days is None else (Value(_days(submission.days * _DAY_S)),)
    fate = Fate.ADDED if asked is None else Fate.KEPT
    origin = "set by the profile" if asked is None else ""
    yield Row("Valid for", asked, (Value(_days(rule["lasting_s"])),), fate, origin)
    backdated = f", {rule['backdate_s']} s before" if rule["backdate_s"] else ""
    yield Row("Starts", None, (Value(f"when it is issued{backdated}"),))


def _days(seconds: int) -> str:
    days, rest = divmod(seconds, _DAY_S)
    if not rest:
        return "1 day" if days == 1 else f"{days:,} days"
    return (
        f"{seconds / 3600:,.1f} hours" if seconds < 2 * _DAY_S else f"{seconds / _DAY_S:,.1f} days"
    )


def _issuer(content: Mapping[str, Any]) -> Iterator[Row]:
    issuer = ", ".join(reversed(content["issuer"]))
    yield Row("Issuer", None, (Value(issuer),))
    if "serial" in content:
        yield Row("Serial number", None, (Value(octets(content["serial"]), code=True),))


# Extensions


def _alone(one: Mapping[str, Any]) -> Row:
    return Row(extension(one), None, values(one), note=_note(one))


def _both(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Row:
    one = new or old
    assert one is not None  # it is in one of them
    if old is None:
        fate, origin = Fate.ADDED, "set by the profile"
    elif new is None:
        fate, origin = Fate.DROPPED, "the profile does not take it"
    elif plain(old["value"]) == plain(new["value"]):
        fate, origin = Fate.KEPT, ""
    else:
        fate, origin = Fate.CHANGED, "set by the profile"
    asked, becomes = (values(side) if side else None for side in (old, new))
    return Row(extension(one), asked, becomes, fate, origin, _note(one))


def _note(one: Mapping[str, Any]) -> str:
    return "critical" if one["critical"] else ""
