"""Where files for relying parties go, put together from the settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chancery.adapters.clock import SystemClock
from chancery.adapters.directory import Server
from chancery.adapters.fetching import HttpFetcher
from chancery.adapters.publication import DirectoryPublisher
from chancery.adapters.publication_ldap import LdapDestination, Tree
from chancery.adapters.publication_s3 import Bucket, S3Destination
from chancery.adapters.storage import SqlStore
from chancery.domain.errors import BadRequest
from chancery.ports_crl import Destination
from chancery.services.notifications import Announcer
from chancery.services.status.crl_watch import Watchdog
from chancery.services.status.publication import PublicationService
from chancery.settings import Settings
from chancery.settings_directories import server_of
from chancery.settings_publication import LdapSettings, S3Settings

_MAX_SECRET: Final = 4096


@dataclass(frozen=True, slots=True)
class Publishing:
    """*watchdog* looks at what *service* and the directory have published."""

    service: PublicationService
    watchdog: Watchdog


def publishing(
    settings: Settings,
    store: SqlStore,
    clock: SystemClock,
    here: DirectoryPublisher,
    telling: Announcer,
) -> Publishing:
    """Build everything; nothing runs yet."""
    given = settings.publication
    destinations: list[Destination] = [_s3(one) for one in given.s3]
    destinations += [_ldap(one) for one in given.ldap]
    return Publishing(
        PublicationService(store, clock, here, destinations),
        Watchdog(store, clock, HttpFetcher(), telling, http=settings.listen.http_url),
    )


def _s3(given: S3Settings) -> S3Destination:
    return S3Destination(
        given.name,
        Bucket(
            endpoint=given.endpoint.rstrip("/"),
            bucket=given.bucket,
            region=given.region,
            access_key=given.access_key,
            secret_key=_secret(given.secret_key_file, f"publication.s3.{given.name}"),
            prefix=given.prefix,
            ca_file=given.ca_file,
            timeout_s=given.timeout.total_seconds(),
        ),
    )


def _ldap(given: LdapSettings) -> LdapDestination:
    where = f"publication.ldap.{given.name}"
    try:
        servers = tuple(Server(*server_of(url)) for url in given.servers)
        ca = given.ca_file.read_text()
    except (OSError, ValueError) as error:
        raise BadRequest(f"{where}: {error}", field=where, rule="config") from error
    return LdapDestination(
        given.name,
        Tree(
            servers=servers,
            ca=ca,
            bind_dn=given.bind_dn,
            bind_password=_secret(given.bind_password_file, where),
            entries=given.entries,
            timeout_s=given.timeout.total_seconds(),
        ),
    )


def _secret(path: Path, where: str) -> str:
    try:
        text = path.read_text()[:_MAX_SECRET].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{where}: cannot read {path}: {error}", field=where) from error
    if not text:
        raise BadRequest(f"{where}: {path} is empty", field=where, rule="config")
    return text
