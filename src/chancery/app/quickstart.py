"""``chancery quickstart``: a complete instance in a directory, or nothing at all.

Everything is made in a directory beside the wanted one, which is renamed into
place at the end: who finds DIR finds it whole.
"""

import json
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chancery.adapters.storage import migrate
from chancery.app.instance_files import Layout, write_private, write_public, write_settings
from chancery.app.office import Office, open_office
from chancery.app.own_certificate import first_own_certificate
from chancery.app.signer_process import running_signer
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.errors import AlreadyExists, BadRequest
from chancery.domain.identity import SYSTEM, Role
from chancery.domain.keys import KeyPurpose
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.shipped import DN_PROFILES, PROFILES
from chancery.services.authority import Extensions, NewAuthority
from chancery.settings import Settings, load
from chancery.signer.unseal import UnsealSource
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.unseal.passphrase import MAX_LENGTH, MIN_LENGTH, Passphrase
from chancery.signer.vault import create as create_vault
from chancery.wire import pem

SQLITE: Final = "sqlite:///data/chancery.db"
ROOT: Final = "root-ca"
ISSUING: Final = "issuing-ca"
RA: Final = "main"
SYSTEM_RA: Final = "service"
DOOR: Final = "main"
OFFICERS: Final = "officers"
OPERATORS: Final = "ca-operators"
CONTAINER: Final = "main"

USERS: Final = {
    "admin": Role.ADMINISTRATOR,
    "officer1": Role.RA_OFFICER,
    "officer2": Role.RA_OFFICER,
    "operator": Role.CA_OPERATOR,
    "auditor": Role.AUDITOR,
    "requester": Role.REQUESTER,
}
_TOKEN_DAYS: Final = 90
_INTERNAL: Final = frozenset({"subordinate-ca", "door-ra"})
_FROM_RA: Final = tuple(p.name for p in PROFILES if p.name not in _INTERNAL)


def quickstart(
    directory: Path,
    *,
    http_port: int | None = None,
    https_port: int | None = None,
    database: str | None = None,
    passphrase_file: Path | None = None,
) -> dict[str, Any]:
    """Make an instance in *directory* and return what its ``quickstart.json`` says.

    AlreadyExists if the directory holds anything.  With *database* (a
    PostgreSQL URL) the record is kept there; it must be empty.  With
    *passphrase_file* the vault opens by that passphrase, else by a random key.
    """
    target = directory.resolve()
    plan = _Plan(http_port or 8080, https_port or 8443, database, _passphrase(passphrase_file))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AlreadyExists(
            f"{directory} is in use",
            field="directory",
            rule="directory.empty",
            remedy="choose another directory, or remove this one if nothing in it is needed",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise BadRequest(
            f"cannot write to {target.parent}: {error.strerror}",
            field="directory",
            rule="directory.writable",
        ) from error
    try:
        facts = _build(workshop, target, plan)
        if target.exists():
            target.rmdir()
        workshop.rename(target)
    except BaseException:
        shutil.rmtree(workshop, ignore_errors=True)
        raise
    return facts


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked for; *passphrase* is None where a random key opens the vault."""

    http_port: int
    https_port: int
    database: str | None
    passphrase: bytes | None

    def __post_init__(self) -> None:
        if self.http_port == self.https_port:
            raise BadRequest(
                f"both listeners would be at port {self.http_port}",
                field="--https-port",
                rule="ports.differ",
                remedy="give --http-port and --https-port different numbers",
            )


def _passphrase(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadRequest(
            f"cannot read {path}: {error.strerror}", field="--passphrase-file"
        ) from error
    if not MIN_LENGTH <= len(data.rstrip(b"\r\n")) <= MAX_LENGTH:
        raise BadRequest(
            f"the passphrase in {path} has {len(data)} octets, not {MIN_LENGTH} to {MAX_LENGTH}",
            field="--passphrase-file",
            rule="unseal.length",
            remedy="six or more random words are a good one",
        )
    return data


def _build(workshop: Path, target: Path, plan: _Plan) -> dict[str, Any]:
    here = Layout(workshop)
    here.make()
    write_settings(here, plan.http_port, plan.https_port, passphrase=plan.passphrase is not None)
    write_private(here.database_url, (plan.database or SQLITE).encode() + b"\n")
    source: UnsealSource
    if plan.passphrase is None:
        write_private(here.unseal_key, secrets.token_bytes(32))
        source = KeyFile(here.unseal_key)
    else:
        write_private(here.passphrase, plan.passphrase)
        source = Passphrase(here.passphrase)
    create_vault(here.vault, source)
    migrate(load(here.settings).database.url)
    with tempfile.TemporaryDirectory(prefix="chancery-") as short:
        settings = _with_socket(load(here.settings), Path(short) / "signer.sock")
        with running_signer(settings.signer), open_office(settings) as office:
            _refuse_used(office)
            facts = _furnish(office, here, Layout(target))
    write_private(here.facts, json.dumps(facts, indent=2).encode() + b"\n")
    return facts


def _with_socket(settings: Settings, socket: Path) -> Settings:
    """The workshop's path may be too long for a socket; its own signer listens elsewhere."""
    signer = settings.signer.model_copy(update={"socket": socket})
    return settings.model_copy(update={"signer": signer})


def _refuse_used(office: Office) -> None:
    with office.store.read() as session:
        if session.identities.users() or session.audit.size():
            raise BadRequest(
                "this database holds an instance already",
                field="database",
                rule="database.empty",
                remedy="name an empty database",
            )


def _furnish(office: Office, here: Layout, there: Layout) -> dict[str, Any]:
    """Keys, CAs, profiles, people, RAs, the listener's certificate; in that order."""
    office.vault.generate(office.settings.audit.key_id, KeyAlgorithm.ED25519, KeyPurpose.AUDIT)
    write_public(here.audit_key, f"{office.audit.verifier_key()}\n".encode())
    for dn_profile in DN_PROFILES:
        office.profiles.dn_put(SYSTEM, dn_profile)
    for profile in PROFILES:
        office.profiles.put(SYSTEM, profile)
    users = _people(office, here, there)
    _authorities(office, here)
    _registration(office)
    _doors(office)
    first_own_certificate(office)
    office.audit.checkpoint()
    listen = office.settings.listen
    return {
        "http": listen.http_url,
        "https": listen.https_url,
        "ca_bundle": str(there.ca_bundle),
        "root": ROOT,
        "issuing": ISSUING,
        "profiles": [profile.name for profile in PROFILES],
        "ra": RA,
        **{f"{protocol.value}_label": DOOR for protocol in DoorProtocol},
        "users": users,
    }


def _people(office: Office, here: Layout, there: Layout) -> dict[str, Any]:
    identity = office.identity
    identity.groups.create(
        SYSTEM, OFFICERS, description="Decide about requests.", roles=[Role.RA_OFFICER]
    )
    identity.groups.create(SYSTEM, OPERATORS, description="Run the CAs.", roles=[Role.CA_OPERATOR])
    identity.groups.create(
        SYSTEM, SYSTEM_RA, description="Nobody: certificates of the service itself."
    )
    made: dict[str, Any] = {}
    for name, role in USERS.items():
        password = secrets.token_urlsafe(18)
        identity.users.create(SYSTEM, name, roles=[role], password=password)
        if role is Role.RA_OFFICER:
            identity.groups.add_member(SYSTEM, OFFICERS, name)
        if role is Role.CA_OPERATOR:
            identity.groups.add_member(SYSTEM, OPERATORS, name)
        _, token = identity.tokens.create(SYSTEM, label="quickstart", days=_TOKEN_DAYS, owner=name)
        write_private(here.token(name), token.encode() + b"\n")
        made[name] = {
            "password": password,
            "token_file": str(there.token(name)),
            "roles": [role.value],
        }
    return made


def _authorities(office: Office, here: Layout) -> None:
    office.authorities.create_container(SYSTEM, CONTAINER, OPERATORS, "Made by quickstart.")
    office.authorities.create(
        SYSTEM,
        NewAuthority(
            name=ROOT,
            container=CONTAINER,
            subject="CN=Chancery Root CA,O=Example",
            key_algorithm=KeyAlgorithm.EC_P384,
            extensions=Extensions(days=20 * 365),
        ),
    )
    office.authorities.create(
        SYSTEM,
        NewAuthority(
            name=ISSUING,
            container=CONTAINER,
            subject="CN=Chancery Issuing CA,O=Example",
            parent=ROOT,
            key_algorithm=KeyAlgorithm.EC_P256,
            extensions=Extensions(days=10 * 365, path_length=0),
        ),
    )
    office.catalogue.changed()
    root = office.authorities.show(SYSTEM, ROOT).certificate
    assert root is not None
    write_public(here.ca_bundle, pem.encode("CERTIFICATE", root).encode())


def _doors(office: Office) -> None:
    """Every enrolment protocol: whoever has a credential, or proves a name, is served at once."""
    for protocol in DoorProtocol:
        profile = "tls-server" if protocol is DoorProtocol.ACME else "device"
        door = Door(
            protocol,
            DOOR,
            ra=RA,
            profile=profile,
            profiles=tuple(name for name in _FROM_RA if name != profile),
            description="Made by quickstart.",
        )
        office.doors.service.put(SYSTEM, door)


def _registration(office: Office) -> None:
    office.ras.put(
        SYSTEM,
        RegistrationAuthority(
            name=RA,
            profiles=_FROM_RA,
            authorities=(ISSUING,),
            approval_group=OFFICERS,
            approvals=2,
            anonymous=True,
            description="Open to everybody; two officers approve.",
        ),
    )
    office.ras.put(
        SYSTEM,
        RegistrationAuthority(
            name=SYSTEM_RA,
            profiles=("tls-server",),
            authorities=(ISSUING,),
            approval_group=OFFICERS,
            approvals=0,
            anonymous=False,
            submit_groups=(SYSTEM_RA,),
            description="The service's own TLS certificate.",
        ),
    )
