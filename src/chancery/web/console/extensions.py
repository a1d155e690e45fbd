"""Extensions in words that people use: what each is called, and what it says."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chancery.services.portal.comparison import plain

SAN: Final = "2.5.29.17"
_EXTENSIONS: Final = {
    "2.5.29.15": "Key usage",
    "2.5.29.37": "Extended key usage",
    "2.5.29.19": "Basic constraints",
    SAN: "Subject alternative name",
    "2.5.29.30": "Name constraints",
    "2.5.29.32": "Certificate policies",
    "2.5.29.14": "Subject key identifier",
    "2.5.29.35": "Authority key identifier",
    "2.5.29.31": "CRL distribution points",
    "2.5.29.46": "Freshest CRL",
    "1.3.6.1.5.5.7.1.1": "Authority information",
    "1.3.6.1.5.5.7.48.1.5": "OCSP no check",
    "1.3.6.1.5.5.7.1.24": "TLS feature",
    "1.3.6.1.4.1.311.21.7": "Microsoft template",
}
_PURPOSES: Final = {
    "serverAuth": "TLS server",
    "clientAuth": "TLS client",
    "codeSigning": "Code signing",
    "emailProtection": "E-mail protection",
    "timeStamping": "Time stamping",
    "OCSPSigning": "OCSP signing",
    "smartcardLogon": "Smart card logon",
    "anyExtendedKeyUsage": "Any purpose",
}


@dataclass(frozen=True, slots=True)
class Value:
    """One thing that is said; *code*: a number or an address, to be compared sign by sign."""

    text: str
    code: bool = False


def extension(one: Mapping[str, Any]) -> str:
    """What people call it."""
    return _EXTENSIONS.get(one["oid"], str(one["name"]))


def values(one: Mapping[str, Any]) -> tuple[Value, ...]:
    """Any extension's value as a few texts; of an unknown one, its DER."""
    value = one["value"]
    if isinstance(value, Mapping) and "der" in value:
        return (Value(f"DER {octets(value['der'])}", code=True),)
    return tuple(_READ.get(one["oid"], _any)(value))


def _any(value: object) -> Iterator[Value]:
    for part in value if isinstance(value, list | tuple) else (value,):
        yield Value(plain(part))


def _constraints(value: Mapping[str, Any]) -> Iterator[Value]:
    if not value["ca"]:
        yield Value("not a CA")
        return
    length = value["path_length"]
    yield Value("a CA" if length is None else f"a CA with at most {length} CAs below it")


def _purposes(value: Iterable[str]) -> Iterator[Value]:
    for name in value:
        friendly = _PURPOSES.get(name)
        yield Value(f"{friendly} ({name})") if friendly else Value(name, code=True)


def _access(value: Iterable[Mapping[str, str]]) -> Iterator[Value]:
    for one in value:
        method = {"caIssuers": "Issuer"}.get(one["method"], one["method"])
        yield Value(f"{method}: {one['location'].removeprefix('uri:')}", code=True)


def _addresses(value: Iterable[str]) -> Iterator[Value]:
    for one in value:
        yield Value(one.removeprefix("uri:"), code=True)


def _identifier(value: str) -> Iterator[Value]:
    yield Value(octets(value), code=True)


def _policies(value: Iterable[Mapping[str, Any]]) -> Iterator[Value]:
    for one in value:
        yield Value(one["oid"], code=True)
        for qualifier in one["qualifiers"]:
            yield Value(str(qualifier))


def _names(value: Mapping[str, Iterable[str]]) -> Iterator[Value]:
    for kind, names in value.items():
        for name in names:
            yield Value(f"{kind} {name}")


_READ: Final[Mapping[str, Callable[[Any], Iterator[Value]]]] = {
    "2.5.29.19": _constraints,
    "2.5.29.37": _purposes,
    "2.5.29.30": _names,
    "2.5.29.32": _policies,
    "2.5.29.14": _identifier,
    "2.5.29.35": _identifier,
    "2.5.29.31": _addresses,
    "2.5.29.46": _addresses,
    "1.3.6.1.5.5.7.1.1": _access,
}


def octets(text: str) -> str:
    """Hex digits as octets, a colon between them."""
    padded = text.zfill(len(text) + len(text) % 2).upper()
    return ":".join(padded[i : i + 2] for i in range(0, len(padded), 2))
