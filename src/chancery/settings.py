"""Everything an operator can choose.  Read once, in ``chancery.app``, then frozen."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from chancery import settings_file
from chancery.domain.errors import BadRequest
from chancery.domain.vaults import SOFTWARE, VaultKind
from chancery.settings_backup import BackupSettings
from chancery.settings_directories import (
    DirectorySettings,
    ProviderSettings,
    refuse_ambiguous,
)
from chancery.settings_file import Section
from chancery.settings_gateway import GatewaySettings, refuse_twice
from chancery.settings_publication import Publication
from chancery.settings_vaults import VaultSettings, move_to_signer, refuse_same_names
from chancery.settings_work import Mail, WebhookSettings, Work

_SQLITE = "sqlite:///"

Port = Annotated[int, Field(ge=1, le=65535)]
Span = Annotated[timedelta, Field(gt=timedelta(0))]


class Listen(Section):
    """Where the service answers, and under which URLs the world knows it."""

    host: str = "127.0.0.1"
    http_port: Port
    https_port: Port
    http_url: str = Field(description="Base URL in CDP and AIA: plain HTTP, no trailing slash.")
    https_url: str
    workers: Annotated[int, Field(ge=1, le=64, description="Web worker processes.")] = 2

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.http_port == self.https_port:
            raise ValueError("http_port and https_port must differ")
        for url in (self.http_url, self.https_url):
            if url.endswith("/"):
                raise ValueError(f"no trailing slash: {url}")
        return self


class Database(Section):
    """*url_file* holds the URL, never the settings: it may have a password in it.

    A relative SQLite path counts from *base*, the directory of the settings,
    so that a copied instance finds its own record.
    """

    url_file: Path
    base: Path

    @property
    def url(self) -> str:
        """The database's URL, its path absolute."""
        try:
            text = self.url_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(
                f"cannot read {self.url_file}: {getattr(error, 'strerror', None) or error}",
                field="database.url_file",
                remedy="it holds the URL: sqlite:///data/chancery.db or postgresql://...",
            ) from error
        prefix, path = text[: len(_SQLITE)], text[len(_SQLITE) :]
        if prefix == _SQLITE and path and not path.startswith("/"):
            return f"{_SQLITE}{self.base / path}"
        return text


class Signer(Section):
    vault: Path
    journal: Path
    socket: Path
    unseal_key_file: Path | None = None
    passphrase_file: Path | None = None
    custodians: bool = Field(default=False, description="It starts sealed: see `chancery unseal`.")
    approved_mode: bool = Field(
        default=False, description="Approved algorithms, CA keys on tokens, self-tests at start."
    )
    ocsp_vault: str = Field(default=SOFTWARE, description="Where OCSP responders get their keys.")
    vaults: tuple[VaultSettings, ...] = Field(default=(), description="Written as [[vaults]].")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = (self.unseal_key_file, self.passphrase_file, self.custodians or None)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("set exactly one of unseal_key_file, passphrase_file and custodians")
        refuse_same_names(self.vaults)
        if self.ocsp_vault not in self.vault_kinds:
            raise ValueError(f"ocsp_vault: there is no vault {self.ocsp_vault}")
        return self

    @property
    def vault_kinds(self) -> dict[str, VaultKind]:
        """Every vault there is, the software vault first."""
        return {SOFTWARE: VaultKind.SOFTWARE} | {
            vault.name: VaultKind(vault.kind) for vault in self.vaults
        }

    @property
    def unseal_socket(self) -> Path:
        """Where a sealed signer takes shares."""
        return self.socket.with_name("unseal.sock")


class Tls(Section):
    certificate: Path
    key: Path
    client_ca: Path = Field(description="PEM bundle: whose client certificates are accepted.")


class Audit(Section):
    directory: Path
    origin: str = Field(description="Name of this log in its checkpoints.")
    key_id: str = "audit"
    vault: str = Field(default=SOFTWARE, description="Where a new key of the log is made.")
    checkpoint_every: Span = timedelta(seconds=1)


class Login(Section):
    max_failures: Annotated[int, Field(ge=3, le=100)] = 5
    lock: Span = timedelta(minutes=15)
    hashes_at_once: Annotated[int, Field(ge=1, le=64)] = 2
    session_idle: Annotated[timedelta, Field(ge=timedelta(minutes=1))] = timedelta(minutes=30)
    session_absolute: Annotated[timedelta, Field(ge=timedelta(minutes=1))] = timedelta(hours=12)
    step_up_for: Span = timedelta(minutes=5)
    second_factor: Literal["optional", "required"] = "optional"
    key_file: Path = Field(
        default=Path("secrets/sign-in.key"),
        description="Seals TOTP secrets in the record; made when it is first needed.",
    )


class Keys(Section):
    """*debian_weak_keys*: lists of the package openssl-blacklist, or of the same form."""

    debian_weak_keys: tuple[Path, ...] = ()


class Rate(Section):
    """*burst* at once from one address, then *per_hour*; each worker process counts by itself."""

    burst: Annotated[int, Field(ge=1, le=1_000_000)]
    per_hour: Annotated[int, Field(ge=1, le=10_000_000)]


class Portal(Section):
    """What people without an account may do.  *open* = false takes nothing from them.

    *proof_of_work*: zero bits that a stamp of their browser must show, 0 for none.
    *key_window*: how long a key that was made here can be fetched again by its code.
    """

    open: bool = True
    files: Annotated[int, Field(ge=1, le=500, description="Requests at once.")] = 50
    submissions: Rate = Rate(burst=200, per_hour=1_200)
    checks: Rate = Rate(burst=300, per_hour=3_600)
    codes: Rate = Rate(burst=30, per_hour=360)
    proof_of_work: Annotated[int, Field(ge=0, le=32)] = 0
    challenge_lifetime: Span = timedelta(minutes=15)
    key_window: Span = timedelta(hours=1)
    server_keys: bool = True


class Settings(Section):
    """``chancery.toml``.  Every default is safe; what has no safe default is required.

    Relative paths count from the directory of the file.
    """

    listen: Listen
    database: Database
    signer: Signer
    tls: Tls
    audit: Audit
    publication: Publication
    login: Login = Login()
    keys: Keys = Keys()
    portal: Portal = Portal()
    mail: Mail | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    work: Work = Work()
    backup: BackupSettings | None = None
    directories: tuple[DirectorySettings, ...] = ()
    providers: tuple[ProviderSettings, ...] = ()
    gateways: tuple[GatewaySettings, ...] = ()

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [webhook.name for webhook in self.webhooks]
        if len(set(names)) < len(names):
            raise ValueError("webhooks: two of them have the same name")
        refuse_ambiguous(self.directories, self.providers)
        refuse_twice(self.gateways)
        if self.audit.vault not in self.signer.vault_kinds:
            raise ValueError(f"audit.vault: there is no vault {self.audit.vault}")
        return self


def load(config: Path) -> Settings:
    """Read and check *config*; BadRequest names the key that is wrong."""
    made_by = "`chancery quickstart DIR` makes an instance with one"
    document = settings_file.read(config, made_by=made_by)
    _complete(document, config)
    remedy = "`chancery config check` checks the file without starting anything"
    return settings_file.check(Settings, document, config, remedy=remedy)


_PATHS = {
    "database": ("url_file",),
    "signer": ("vault", "journal", "socket", "unseal_key_file", "passphrase_file"),
    "vaults": ("module", "pin_file"),
    "tls": ("certificate", "key", "client_ca"),
    "audit": ("directory",),
    "publication": ("directory",),
    "keys": ("debian_weak_keys",),
    "mail": ("password_file", "ca_file"),
    "webhooks": ("secret_file", "ca_file"),
    "login": ("key_file",),
    "backup": ("medium", "copies"),
    "directories": ("ca_file", "bind_password_file"),
    "providers": ("ca_file", "client_secret_file"),
}


_PATHS_PUBLISHING = ("secret_key_file", "bind_password_file", "ca_file")


def _complete(document: dict[str, Any], config: Path) -> None:
    """Add what follows from where the file is; relative paths count from there."""
    database = document.get("database")
    if isinstance(database, dict):
        if "base" in database:
            raise BadRequest("database.base is not yours to set", field="database.base")
        database["base"] = config.resolve().parent
    login = document.setdefault("login", {})
    if isinstance(login, dict):
        login.setdefault("key_file", "secrets/sign-in.key")
    settings_file.absolute(document, _PATHS, config)
    publication = document.get("publication")
    if isinstance(publication, dict):
        kinds = dict.fromkeys(("s3", "ldap"), _PATHS_PUBLISHING)
        settings_file.absolute(publication, kinds, config)
    move_to_signer(document)
