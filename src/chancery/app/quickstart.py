"""``chancery quickstart``: a complete instance in a directory, or nothing at all.

Everything is made in a directory beside the wanted one, which is renamed into
place at the end: who finds DIR finds it whole.
"""

import json
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from chancery.adapters.storage import migrate
from chancery.app.instance_files import Layout, write_private, write_public, write_settings
from chancery.app.office import Office, open_office
from chancery.app.own_certificate import first_own_certificate
from chancery.app.signer_process import running_signer
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import AlreadyExists, BadRequest
from chancery.domain.identity import SYSTEM, Role
from chancery.domain.keys import KeyPurpose
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.shipped import DN_PROFILES, PROFILES
from chancery.services.authority import Extensions, NewAuthority
from chancery.settings import Settings, load
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import create as create_vault
from chancery.wire import pem

ROOT: Final = "root-ca"
ISSUING: Final = "issuing-ca"
RA: Final = "main"
SYSTEM_RA: Final = "service"
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
_FROM_RA: Final = tuple(p.name for p in PROFILES if p.name != "subordinate-ca")


def quickstart(
    directory: Path,
    *,
    http_port: int | None = None,
    https_port: int | None = None,
    database: str | None = None,
) -> dict[str, Any]:
    """Make an instance in *directory* and return what its ``quickstart.json`` says.

    AlreadyExists if the directory holds anything.  With *database* (a
    PostgreSQL URL) the record is kept there; it must be empty.
    """
    target = directory.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AlreadyExists(
            f"{directory} is in use",
            field="directory",
            rule="directory.empty",
            remedy="choose another directory, or remove this one if nothing in it is needed",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        facts = _build(workshop, target, http_port or 8080, https_port or 8443, database)
        if target.exists():
            target.rmdir()
        workshop.rename(target)
    except BaseException:
        shutil.rmtree(workshop, ignore_errors=True)
        raise
    return facts


def _build(
    workshop: Path, target: Path, http_port: int, https_port: int, database: str | None
) -> dict[str, Any]:
    here = Layout(workshop)
    here.make()
    write_settings(here, http_port, https_port)
    write_private(here.unseal_key, secrets.token_bytes(32))
    write_private(here.database_url, (database or _sqlite(here)).encode() + b"\n")
    create_vault(here.vault, KeyFile(here.unseal_key))
    migrate(here.database_url.read_text().strip())
    with tempfile.TemporaryDirectory(prefix="chancery-") as short:
        settings = _with_socket(load(here.settings), Path(short) / "signer.sock")
        with running_signer(settings.signer), open_office(settings) as office:
            _refuse_used(office)
            facts = _furnish(office, here, Layout(target))
    if database is None:
        write_private(here.database_url, _sqlite(Layout(target)).encode() + b"\n")
    write_private(here.facts, json.dumps(facts, indent=2).encode() + b"\n")
    return facts


def _sqlite(layout: Layout) -> str:
    return f"sqlite:///{layout.database}"


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
            submit_group=SYSTEM_RA,
            description="The service's own TLS certificate.",
        ),
    )
