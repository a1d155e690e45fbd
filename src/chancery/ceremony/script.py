"""A ceremony's script: TOML that people review beforehand, and the plan that it comes to.

Paths count from the script's directory.  What a script reads (CSRs,
certificates, a bundle) is read once, before the plan is shown: what is hashed
there is what is used.
"""

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import CrlIdp
from chancery.domain.certificate import RevocationReason
from chancery.domain.custody import Custodian, check_people
from chancery.domain.errors import BadRequest, TooLarge

_MAX_SCRIPT: Final = 16 * 1024  # octets
_MAX_INPUTS: Final = 60 * 1024  # octets together: they are kept in the transcript, a signed note
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custodian; without *recipient* the share is printed."""

    name: str
    recipient: str = ""


class NewStore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who opens a store that is made: M of the custodians, or a passphrase."""

    threshold: int = 0
    custodians: tuple[Person, ...] = ()
    passphrase: bool = False


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PKCS#11 token that holds the keys in the place of the store; its PIN is asked for."""

    module: str
    token: str | None = None
    serial: str | None = None


class Root(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="root"):
    """A key and its self-signed certificate."""

    name: str
    subject: str
    algorithm: KeyAlgorithm = KeyAlgorithm.EC_P384
    signature: SignatureAlgorithm | None = None
    years: int = 20
    path_length: int | None = None
    http: str = ""
    crl_idp: CrlIdp = CrlIdp.NONE


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="key"):
    """A key of a CA that somebody else, or another CA of the store, certifies; its CSR goes out."""

    name: str
    subject: str
    algorithm: KeyAlgorithm = KeyAlgorithm.EC_P384
    signature: SignatureAlgorithm | None = None
    path_length: int | None = None
    http: str = ""
    crl_idp: CrlIdp = CrlIdp.NONE


class Intermediate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="intermediate"
):
    """Certify a CA: of a CSR in a file, or of a key in the store."""

    issuer: str
    out: str
    csr: str = ""
    key: str = ""
    years: int = 10
    path_length: int | None = None


class Cross(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="cross-certificate"
):
    """Certify the key of another root by its self-signed certificate."""

    issuer: str
    certificate: str
    out: str
    years: int = 5
    path_length: int | None = None


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    serial: str
    reason: str = "unspecified"


class Crl(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="crl"):
    """The next CRL, first revoking some certificates."""

    issuer: str
    out: str
    days: int = 180
    revoke: tuple[Revocation, ...] = ()
    crl_idp: CrlIdp | None = None


class Change(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="custodians"
):
    """Other custodians, or new shares for the same: the old ones open nothing more."""

    threshold: int
    custodians: tuple[Person, ...]


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="bundle"):
    """Everything that a server asks for in a signing bundle, answered by one."""

    issuer: str
    request: str
    out: str
    audit_key: str
    years: int = 10
    days: int = 180


Step = Root | Key | Intermediate | Cross | Crl | Change | Bundle


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ceremony.  *witnesses* are the people present: as many are needed ever after."""

    name: str
    witnesses: tuple[str, ...]
    store: str
    step: tuple[Step, ...]
    title: str = ""
    out: str = "out"
    new_store: NewStore | None = None
    token: Token | None = None
    """Where keys are that the store does not hold; the same in each script of that store."""
    certificates: dict[str, str] = {}
    """Of CAs that the store holds already, by name: which ones are meant."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A script with all it reads.  *sha256* is what witnesses confirm."""

    script: Script
    text: str
    inputs: dict[str, bytes]
    base: Path

    @property
    def script_sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def sha256(self) -> str:
        """Over the script and everything that it reads."""
        document = {
            "script": self.script_sha256,
            "inputs": {
                name: hashlib.sha256(data).hexdigest() for name, data in self.inputs.items()
            },
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    @property
    def store(self) -> Path:
        return self.base / self.script.store

    @property
    def out(self) -> Path:
        return self.base / self.script.out


def load(path: Path) -> Plan:
    """Read a script and what it names; BadRequest says what is wrong, and where."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"cannot read {path}: {error}", field="script") from error
    script = parse(text)
    base = path.resolve().parent
    inputs = {name: _read(base / name) for name in _inputs(script)}
    return planned(script, text, inputs, base)


def planned(script: Script, text: str, inputs: dict[str, bytes], base: Path) -> Plan:
    if sum(map(len, inputs.values())) > _MAX_INPUTS:
        raise TooLarge(
            f"what the script reads has more than {_MAX_INPUTS} octets",
            field="script",
            rule="ceremony.size",
            remedy="hold two ceremonies",
        )
    return Plan(script, text, inputs, base)


def parse(text: str) -> Script:
    """From TOML."""
    if len(text) > _MAX_SCRIPT:
        raise TooLarge("a script has fewer octets", field="script", rule="ceremony.size")
    try:
        script = msgspec.convert(tomllib.loads(text), Script)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadRequest(
            str(error), field="script", rule="ceremony.script", remedy="see the guide to ceremonies"
        ) from error
    _check(script)
    return script


def people(given: tuple[Person, ...]) -> list[Custodian]:
    return [Custodian(one.name, one.recipient) for one in given]


def _check(script: Script) -> None:
    """What a type cannot say."""
    names = [one.name for one in script.step if isinstance(one, Root | Key)]
    for name in [script.name, *names, *script.certificates]:
        if not _SLUG.fullmatch(name):
            raise _bad(f"{name[:64]!r} is no name", "ceremony.name", "a-z, 0-9 and - alone")
    present = [" ".join(one.split()) for one in script.witnesses]
    if not present or not all(present) or len({one.casefold() for one in present}) < len(present):
        raise _bad("witnesses are people, each once", "ceremony.witnesses", "name at least one")
    if not script.step:
        raise _bad("a script without steps does nothing", "ceremony.steps", "[[step]]")
    if script.new_store is not None:
        _check_new(script.new_store)
    for step in script.step:
        _check_step(step)
    outs = [name for step in script.step for name in outputs(step)]
    if len(set(outs)) < len(outs):
        raise _bad("two steps write the same file", "ceremony.out", "name each apart")
    for name in outs:
        if Path(name).name != name:
            raise _bad(f"{name!r} is not a plain file name", "ceremony.out", "no directories in it")


def _check_step(step: Step) -> None:
    match step:
        case Change():
            check_people(people(step.custodians), step.threshold)
        case Intermediate() if bool(step.csr) == bool(step.key):
            raise _bad("an intermediate has a csr or a key", "ceremony.csr", "name one of them")
        case Crl():
            for one in step.revoke:
                if one.reason not in RevocationReason.__members__:
                    reasons = ", ".join(RevocationReason.__members__)
                    raise _bad(f"no reason {one.reason!r}", "revocation.reason", reasons)
        case _:
            pass


def _check_new(new: NewStore) -> None:
    if new.passphrase == bool(new.custodians):
        raise _bad(
            "a new store has custodians, or a passphrase", "ceremony.new_store", "one of the two"
        )
    if new.custodians:
        check_people(people(new.custodians), new.threshold)


def outputs(step: Step) -> tuple[str, ...]:
    """The files that a step writes, shares of custodians apart."""
    match step:
        case Root(name=name):
            return (f"{name}.pem",)
        case Key(name=name):
            return (f"{name}.csr",)
        case Change():
            return ()
        case _:
            return (step.out,)


def _inputs(script: Script) -> list[str]:
    found = list(script.certificates.values())
    for step in script.step:
        match step:
            case Intermediate(csr=csr) if csr:
                found.append(csr)
            case Cross(certificate=certificate):
                found.append(certificate)
            case Bundle(request=request, audit_key=audit_key):
                found += [request, audit_key]
    return list(dict.fromkeys(found))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_INPUTS + 1)
    except OSError as error:
        raise BadRequest(
            f"cannot read {path}: {(error.strerror or '').lower()}",
            field=path.name,
            rule="ceremony.input",
        ) from error
    if b"PRIVATE KEY-----" in data:
        raise BadRequest(f"{path} holds a private key", field=path.name, rule="pem.private-key")
    return data


def _bad(why: str, rule: str, remedy: str) -> BadRequest:
    return BadRequest(why, field="script", rule=rule, remedy=remedy)


def facts(step: Step) -> dict[str, Any]:
    """A step as JSON."""
    built: dict[str, Any] = msgspec.to_builtins(step)
    return {key: value for key, value in built.items() if value not in (None, "", [], ())}
